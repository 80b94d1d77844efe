"""Labels to and from files."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.base import require
from crm_agents.admin.labelling.pages import MANAGE, set_page
from crm_agents.models import LabelSet
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.labelling.claiming import visible_items
from crm_agents.services.labelling.exporting import COLUMNS, csv_lines, json_lines
from crm_agents.services.labelling.importing import import_labels
from crm_agents.services.labelling.parsing import SHOWN_ERRORS, LabelsRejected
from crm_agents.words import number

if TYPE_CHECKING:
    from crm_agents.admin.labelling.sets import LabelSetAdmin

LARGEST = 20 * 1024 * 1024
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}


class ImportForm(forms.Form):
    """A file of labels; its format follows from its name."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV or JSON Lines (.csv, .jsonl), in UTF-8, as the export writes it."),
        error_messages={"required": gettext_lazy("No file is chosen; choose one.")},
    )

    def clean_file(self) -> object:
        file = self.cleaned_data["file"]
        if ending(file.name) not in FORMATS:
            raise forms.ValidationError(_("%r is neither .csv nor .jsonl.") % file.name)
        if file.size > LARGEST:
            raise forms.ValidationError(
                _("The file has %(size)s bytes; at most %(most)s can be taken. Divide it.")
                % {"size": number(file.size), "most": number(LARGEST)}
            )
        return file


def ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


class TransferPages:
    def __init__(self, admin: "LabelSetAdmin") -> None:
        self.admin = admin

    def urls(self) -> list[URLPattern]:
        view = self.admin.admin_site.admin_view
        return [
            path("<int:pk>/import/", view(self.import_view), name="crm_agents_labelset_import"),
            path("<int:pk>/export/", view(self.export_view), name="crm_agents_labelset_export"),
        ]

    def import_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for a file and store its labels: all of them, or none and every mistake with its line."""
        require(request, MANAGE)
        label_set: LabelSet = self.admin.found(request, pk)
        form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
        if request.method == "POST" and form.is_valid() and self._imported(request, label_set, form):
            return HttpResponseRedirect(self.admin.url_of(label_set))
        return set_page(
            self.admin,
            request,
            "import",
            label_set,
            title=_("Import labels"),
            form=form,
            columns=COLUMNS,
            answers=[choice["value"] for choice in label_set.choices],
        )

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Stream every item the user may see, with all annotations; the audit keeps that it was taken."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE)
        label_set: LabelSet = self.admin.found(request, pk)
        wanted = request.POST.get("format", "")
        if wanted not in FORMATS:
            messages.error(request, _("%r is no format of an export; choose CSV or JSON Lines.") % wanted)
            return HttpResponseRedirect(self.admin.url_of(label_set))
        audit.record(
            label_set.agent,
            AuditAction.LABELS_EXPORTED,
            label_set,
            user=request.user,
            detail={"format": wanted},
        )
        items = visible_items(label_set, request.user)
        name = f"{slugify(label_set.name) or 'labels'}-{timezone.localdate():%Y-%m-%d}.{wanted}"
        return StreamingHttpResponse(
            csv_lines(items) if wanted == "csv" else json_lines(items),
            content_type=FORMATS[wanted],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _imported(self, request: HttpRequest, label_set: LabelSet, form: ImportForm) -> bool:
        file = form.cleaned_data["file"]
        try:
            done = import_labels(label_set, file.read(), file_format=ending(file.name), user=request.user)
        except LabelsRejected as rejected:
            for error in rejected.errors[:SHOWN_ERRORS]:
                form.add_error(
                    "file", _("Line %(line)s: %(what)s") % {"line": error.line, "what": error.message}
                )
            more = len(rejected.errors) - SHOWN_ERRORS
            if more > 0:
                form.add_error("file", _("%s more mistakes.") % number(more))
            return False
        text = _("%(rows)s rows: %(items)s new items, %(annotations)s answers, %(settled)s final labels.")
        messages.success(
            request,
            text
            % {
                "rows": number(done.rows),
                "items": number(done.items),
                "annotations": number(done.annotations),
                "settled": number(done.settled),
            },
        )
        return True
