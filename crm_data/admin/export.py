"""Export of any admin list as CSV or XLSX: the rows that were ticked, or all that the filters leave.

class ThingAdmin(ExportMixin):
    export_fields = ("code", "owner__username", "traffic_light")   # ORM paths or methods of the admin
    actions = (*ExportMixin.actions, "other_action")               # only if there are others
"""

import csv
import html
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import FieldDoesNotExist
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError

XLSX_ROWS = 100_000  # a workbook is written while the browser waits
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


class ExportMixin(AnyModelAdmin):
    """Adds the actions "Export as CSV" and "Export as XLSX" for everybody who may see the list."""

    export_fields: ClassVar[Sequence[str]] = ()  # empty: the columns of the list
    actions: Any = ("export_csv", "export_xlsx")

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase:
        """Stream the rows; memory does not grow with them."""
        writer = csv.writer(Echo())
        names = self._export_names(request)
        rows = ([guarded(as_text(value)) for value in row] for row in self._export_rows(queryset, names))
        header = [self._export_label(name) for name in names]
        # The byte order mark tells spreadsheets that this is UTF-8.
        lines = _chain("\ufeff" + writer.writerow(header), map(writer.writerow, rows))
        return StreamingHttpResponse(
            lines,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self._export_file_name("csv")}"'},
        )

    @admin.action(description=gettext_lazy("Export as XLSX"), permissions=["view"])
    def export_xlsx(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        """Write a workbook of at most XLSX_ROWS rows to a temporary file and send it."""
        if queryset.order_by()[: XLSX_ROWS + 1].count() > XLSX_ROWS:
            text = _("A workbook takes at most %(rows)d rows. Filter the list, or export as CSV.")
            self.message_user(request, text % {"rows": XLSX_ROWS}, messages.ERROR)
            return None
        names = self._export_names(request)
        book = Workbook(write_only=True)
        sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", str(self.opts.verbose_name_plural))[:31])
        sheet.append([_cell(sheet, self._export_label(name)) for name in names])
        for row in self._export_rows(queryset, names):
            sheet.append([_cell(sheet, value) for value in row])
        file = TemporaryFile()  # noqa: SIM115  the response closes it
        book.save(file)
        file.seek(0)
        name = self._export_file_name("xlsx")
        return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX_TYPE)

    def _export_names(self, request: HttpRequest) -> list[str]:
        names = self.export_fields or [str(name) for name in self.get_list_display(request)]
        return [name for name in names if name != "action_checkbox"]

    def _export_rows(self, queryset: QuerySet[Any], names: Sequence[str]) -> Iterator[Sequence[Any]]:
        if self.export_fields and not any(hasattr(self, name) for name in names):
            return iter(queryset.values_list(*names).iterator(chunk_size=2000))
        getters = [self._export_getter(name) for name in names]
        objects = queryset.iterator(chunk_size=2000)
        return ([get(row) for get in getters] for row in objects)

    def _export_getter(self, name: str) -> Callable[[Any], Any]:
        method: Callable[[Any], Any] | None = getattr(self, name, None)
        return method if callable(method) else partial(_follow, path=name.split("__"))

    def _export_label(self, name: str) -> str:
        if "__" not in name or hasattr(self, name):
            return str(label_for_field(name, self.model, self))
        return " ".join(_path_labels(self.model, name.split("__")))

    def _export_file_name(self, ending: str) -> str:
        return f"{self.opts.model_name}-{timezone.localdate():%Y-%m-%d}.{ending}"


def as_text(value: Any) -> Any:
    """Return what a CSV cell shows for a value; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat() if timezone.is_aware(value) else value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return html.unescape(strip_tags(value)) if isinstance(value, SafeString) else str(value)


def guarded(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    if isinstance(value, str) and (
        value.startswith(FORMULA_STARTS) or value.lstrip().startswith(FORMULA_STARTS)
    ):
        return f"'{value}"
    return value


def _path_labels(model: Any, path: Sequence[str]) -> Iterator[str]:
    """Yield the name of each step of a path; what is no field (a JSON key, say) goes by its own name."""
    for name in path:
        try:
            field = model._meta.get_field(name)
        except (AttributeError, FieldDoesNotExist):
            yield name.replace("_", " ")
            continue
        yield str(getattr(field, "verbose_name", name))
        model = field.related_model


class Echo:
    """A file that hands back what is written, so that lines can be streamed."""

    def write(self, text: str) -> str:
        return text


def _chain(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _follow(row: Any, *, path: Sequence[str]) -> Any:
    for name in path:
        row = getattr(row, name, None)
        if row is None:
            return None
    return row() if callable(row) else row


def _cell(sheet: Any, value: Any) -> Any:
    """Return a cell in which texts are texts, never formulas, and times are local."""
    if isinstance(value, datetime):
        value = timezone.make_naive(value) if timezone.is_aware(value) else value
        return WriteOnlyCell(sheet, value)
    value = as_text(value)
    try:
        cell = WriteOnlyCell(sheet, value)
    except IllegalCharacterError:
        cell = WriteOnlyCell(sheet, "".join(filter(str.isprintable, value)))
    if isinstance(value, str):
        cell.data_type = "s"
    return cell
