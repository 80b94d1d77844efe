"""Items on which the annotators disagree, their answers side by side, for somebody to decide."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.customers import customer_url, page_number
from crm_agents.admin.labelling.pages import MANAGE, set_page
from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling.agreement import krippendorff_alpha, pair_agreements, units_of
from crm_agents.services.labelling.answering import AnnotationRejected, adjudicate, newest_words
from crm_agents.services.labelling.claiming import visible_items
from crm_agents.services.labelling.sets import answer_texts
from crm_data.selectors import customer_names

if TYPE_CHECKING:
    from crm_agents.admin.labelling.sets import LabelSetAdmin

SHOWN = 20
UNKNOWN = "?"  # the button "Cannot be told"; no stored answer can be it, see `sets.WORD`


class DisputePages:
    def __init__(self, admin: "LabelSetAdmin") -> None:
        self.admin = admin

    def urls(self) -> list[URLPattern]:
        view = self.admin.admin_site.admin_view
        return [path("<int:pk>/disputes/", view(self.page_view), name="crm_agents_labelset_disputes")]

    def page_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show disputed items and how far people agree; a POST decides one item."""
        require(request, MANAGE)
        label_set: LabelSet = self.admin.found(request, pk)
        if request.method == "POST":
            decide_item(request, label_set)
            return HttpResponseRedirect(request.get_full_path())
        units = units_of(label_set)
        page = Paginator(_disputed(label_set, request), SHOWN).get_page(page_number(request.GET.get("p", "")))
        return set_page(
            self.admin,
            request,
            "disputes",
            label_set,
            title=_("Agreement and disputes"),
            rows=item_rows(self.admin, label_set, list(page.object_list)),
            page=page,
            unknown=UNKNOWN,
            alpha=krippendorff_alpha(units),
            pairs=pair_agreements(units),
            several=sum(len(unit) > 1 for unit in units),
        )


def _disputed(label_set: LabelSet, request: HttpRequest) -> Any:
    said = Annotation.objects.select_related("user").order_by("at", "pk")
    found = visible_items(label_set, request.user).filter(status=ItemStatus.DISPUTED)
    return found.order_by("place", "pk").prefetch_related(Prefetch("annotations", said))


def decide_item(request: HttpRequest, label_set: LabelSet) -> None:
    """Take the answer of a button on a list of items, and say what came of it."""
    key, label = request.POST.get("item", ""), request.POST.get("label", "")
    known = visible_items(label_set, request.user)
    item = known.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if item is None:
        raise Http404(_("There is no item %r in this label set.") % key)
    item.label_set = label_set
    try:
        if not label:
            raise AnnotationRejected("label", _("Choose an answer."))
        adjudicate(item, label="" if label == UNKNOWN else label, user=request.user)
    except AnnotationRejected as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Decided. It trains from the next snapshot on."))


def item_rows(admin: "LabelSetAdmin", label_set: LabelSet, items: list[LabelItem]) -> list[dict[str, Any]]:
    """Return what a list shows of each item: whom it is about, the text, the answers that count."""
    tenant = label_set.agent.tenant
    names = customer_names({item.customer_id for item in items if item.customer_id}, tenant=tenant)
    texts = answer_texts(label_set)
    return [
        {
            "item": item,
            "name": names.get(item.customer_id, item.customer_id),
            "url": customer_url(admin.admin_site, item.customer_id, tenant)
            if item.customer_id in names
            else "",
            "label": texts.get(item.label, item.label),
            "guess": _guess(item, texts),
            "words": [
                (
                    said.user.get_username() if said.user else "–",
                    texts.get(said.label, said.label)
                    if said.kind == AnnotationKind.LABEL
                    else said.get_kind_display(),
                    said.reason,
                    said.at,
                )
                for said in newest_words(item.annotations.all())
            ],
        }
        for item in items
    ]


def _guess(item: LabelItem, texts: dict[str, str]) -> str:
    if not item.probabilities:
        return ""
    likeliest: str = max(item.probabilities, key=lambda answer: item.probabilities[answer])
    return texts.get(likeliest, likeliest)
