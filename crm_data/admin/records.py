"""Records of what was imported and which snapshots were built: to read, not to edit."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from crm_data.admin.base import ReadOnlyAdmin
from crm_data.importing.report import ImportReport
from crm_data.models import ImportBatch


class ImportBatchAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "file_name", "rows_read", "purchases", "returns")
    list_display_links = ("created_at", "file_name")
    fields = ("file_name", "created_at", "sha256", "report_table")
    readonly_fields = ("report_table",)

    @admin.display(description=_("rows read"))
    def rows_read(self, batch: ImportBatch) -> Any:
        return batch.report.get("rows_read")

    @admin.display(description=_("purchases"))
    def purchases(self, batch: ImportBatch) -> Any:
        return batch.report.get("purchases")

    @admin.display(description=_("returns"))
    def returns(self, batch: ImportBatch) -> Any:
        return batch.report.get("returns")

    @admin.display(description=_("what was kept and dropped"))
    def report_table(self, batch: ImportBatch) -> SafeString:
        if not batch.report:
            return format_html("–")
        rows = ImportReport.from_json(batch.report).rows()
        cells = ((label, f"{count:,}", note) for label, count, note in rows)
        body = format_html_join("", "<tr><th scope=row>{}</th><td>{}</td><td>{}</td></tr>", cells)
        return format_html("<table>{}</table>", body)


class SnapshotAdmin(ReadOnlyAdmin):
    list_display = (
        "watermark",
        "tenant",
        "events",
        "customers",
        "products",
        "shards",
        "incremental",
        "created_at",
        "erased",
        "removed_at",
    )
