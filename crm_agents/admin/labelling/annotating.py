"""The queue at work: one item at a time, by keyboard or by button, the next one already loaded."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Exists, OuterRef
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.labelling.context import item_context
from crm_agents.admin.labelling.pages import ANNOTATE, set_page
from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling.answering import AnnotationRejected, annotate, take_back
from crm_agents.services.labelling.claiming import next_items, visible_items
from crm_agents.services.labelling.progress import counts

if TYPE_CHECKING:
    from crm_agents.admin.labelling.sets import LabelSetAdmin

ITEM = "crm_agents/labelling/item.html"
LABEL = "label:"  # before the stored answer in a button's value


class AnnotatingPages:
    """`annotate/` shows the queue; `answer/` and `undo/` take POSTs, from the script or from a plain form."""

    def __init__(self, admin: "LabelSetAdmin") -> None:
        self.admin = admin

    def urls(self) -> list[URLPattern]:
        view = self.admin.admin_site.admin_view
        return [
            path("<int:pk>/annotate/", view(self.page_view), name="crm_agents_labelset_annotate"),
            path("<int:pk>/answer/", view(self.answer_view), name="crm_agents_labelset_answer"),
            path("<int:pk>/undo/", view(self.undo_view), name="crm_agents_labelset_undo"),
        ]

    def page_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the item to label now, and carry the next one along."""
        label_set = self._label_set(request, pk)
        asked = self._asked_for(request, label_set)
        items = ([asked] if asked else []) + [
            item for item in next_items(label_set, request.user, 2) if asked is None or item.pk != asked.pk
        ]
        return set_page(
            self.admin,
            request,
            "annotate",
            label_set,
            title=label_set.question,
            current=self._html(request, items[0]) if items else "",
            next=self._html(request, items[1]) if len(items) > 1 else "",
            progress=_progress(label_set),
            answer_url=self.admin.url("crm_agents_labelset_answer", pk),
            undo_url=self.admin.url("crm_agents_labelset_undo", pk),
            may_undo=_last_word(label_set, request) is not None,
        )

    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Store one answer. The script gets the item after the one that it shows already."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        label_set = self._label_set(request, pk)
        item = _found(label_set, request, request.POST.get("item", ""))
        kind, label = _said(request.POST.get("answer", ""))
        try:
            annotate(
                item,
                user=request.user,
                kind=kind,
                label=label,
                reason=request.POST.get("reason", "").replace("\0", "").strip(),
                seconds=_seconds(request.POST.get("seconds", "")),
            )
        except AnnotationRejected as error:
            return self._refused(request, label_set, item, error)
        if not _by_script(request):
            return HttpResponseRedirect(self.admin.url("crm_agents_labelset_annotate", pk))
        return JsonResponse(self._state(request, label_set))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take back what the user said last, and ask that again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        label_set = self._label_set(request, pk)
        last = _last_word(label_set, request)
        page = self.admin.url("crm_agents_labelset_annotate", pk)
        if last is None or label_set.closed:
            text = _("There is nothing to take back.")
            if _by_script(request):
                return JsonResponse({"error": text}, status=409)
            messages.warning(request, text)
            return HttpResponseRedirect(page)
        last.item.label_set = label_set
        take_back(last.item, user=request.user)
        if not _by_script(request):
            return HttpResponseRedirect(f"{page}?item={last.item_id}")
        shown = self._html(request, last.item, own=last)
        return JsonResponse({"item": shown, "progress": _progress(label_set)})

    def _label_set(self, request: HttpRequest, pk: int) -> LabelSet:
        require(request, ANNOTATE)
        label_set: LabelSet = self.admin.found(request, pk)
        return label_set

    def _asked_for(self, request: HttpRequest, label_set: LabelSet) -> LabelItem | None:
        """Return the item that an address names: one that was taken back."""
        key = request.GET.get("item", "")
        if not key or label_set.closed:
            return None
        item = _found(label_set, request, key)
        return item if item.status == ItemStatus.OPEN else None

    def _state(self, request: HttpRequest, label_set: LabelSet) -> dict[str, Any]:
        """Return the item to carry along and the progress, for the script."""
        showing = request.POST.get("showing", "")
        following = [item for item in next_items(label_set, request.user, 3) if str(item.pk) != showing]
        return {
            "next": self._html(request, following[0]) if following else "",
            "progress": _progress(label_set),
        }

    def _refused(
        self, request: HttpRequest, label_set: LabelSet, item: LabelItem, error: AnnotationRejected
    ) -> HttpResponse:
        if _by_script(request):
            return JsonResponse({"error": str(error), "field": error.field}, status=400)
        messages.error(request, str(error))
        page = self.admin.url("crm_agents_labelset_annotate", label_set.pk)
        return HttpResponseRedirect(f"{page}?item={item.pk}")

    def _html(self, request: HttpRequest, item: LabelItem, own: Annotation | None = None) -> str:
        request.current_app = self.admin.admin_site.name
        context = item_context(self.admin.admin_site, request, item, own=own)
        context["answer_url"] = self.admin.url("crm_agents_labelset_answer", item.label_set_id)
        return render_to_string(ITEM, context, request)


def _found(label_set: LabelSet, request: HttpRequest, key: str) -> LabelItem:
    """Return an item that the user may see. Raises Http404."""
    known = visible_items(label_set, request.user)
    item = known.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if item is None:
        raise Http404(_("There is no item %r in this label set.") % key)
    item.label_set = label_set
    return item


def _last_word(label_set: LabelSet, request: HttpRequest) -> Annotation | None:
    """Return the newest annotation of the user in the set that was not taken back."""
    mine = Annotation.objects.filter(user=request.user.pk)
    newer = mine.filter(item=OuterRef("item"), pk__gt=OuterRef("pk"))
    words = mine.filter(~Exists(newer), item__label_set=label_set).exclude(kind=AnnotationKind.WITHDRAWN)
    return words.select_related("item").order_by("-pk").first()


def _said(answer: str) -> tuple[str, str]:
    """Return kind and label of a button's value."""
    if answer.startswith(LABEL):
        return AnnotationKind.LABEL, answer.removeprefix(LABEL)
    return answer, ""


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _progress(label_set: LabelSet) -> dict[str, Any]:
    known = counts(label_set)
    done = known["all"] - known[ItemStatus.OPEN]
    text = _("%(done)s of %(of)s labelled") % {"done": done, "of": known["all"]}
    if label_set.annotators > 1:  # else one's own answers would seem to be lost
        text = _("%(text)s; each takes the answers of %(people)s people") % {
            "text": text,
            "people": label_set.annotators,
        }
    return {"done": done, "of": known["all"], "text": text}
