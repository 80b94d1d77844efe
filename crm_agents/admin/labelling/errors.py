"""Labels that are probably wrong, the likeliest first, to confirm or to change."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.customers import page_number
from crm_agents.admin.labelling.disputes import SHOWN, UNKNOWN, decide_item, item_rows
from crm_agents.admin.labelling.pages import MANAGE, set_page
from crm_agents.admin.labelling.wording import search_said
from crm_agents.models import Annotation, LabelSet
from crm_agents.services.labelling.claiming import visible_items
from crm_agents.services.labelling.jobs import request_search

if TYPE_CHECKING:
    from crm_agents.admin.labelling.sets import LabelSetAdmin


class ErrorPages:
    def __init__(self, admin: "LabelSetAdmin") -> None:
        self.admin = admin

    def urls(self) -> list[URLPattern]:
        view = self.admin.admin_site.admin_view
        return [
            path("<int:pk>/errors/", view(self.page_view), name="crm_agents_labelset_errors"),
            path("<int:pk>/errors/search/", view(self.search_view), name="crm_agents_labelset_search"),
        ]

    def page_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the doubted labels; a POST confirms or changes one."""
        require(request, MANAGE)
        label_set: LabelSet = self.admin.found(request, pk)
        if request.method == "POST":
            decide_item(request, label_set)
            return HttpResponseRedirect(request.get_full_path())
        said = Annotation.objects.select_related("user").order_by("at", "pk")
        doubted = visible_items(label_set, request.user).filter(suspicion__isnull=False)
        doubted = doubted.order_by("-suspicion", "pk").prefetch_related(Prefetch("annotations", said))
        page = Paginator(doubted, SHOWN).get_page(page_number(request.GET.get("p", "")))
        return set_page(
            self.admin,
            request,
            "errors",
            label_set,
            title=_("Likely errors"),
            rows=item_rows(self.admin, label_set, list(page.object_list)),
            page=page,
            unknown=UNKNOWN,
            said=search_said(label_set.search),
            search_url=self.admin.url("crm_agents_labelset_search", pk),
        )

    def search_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a worker search for errors."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE)
        label_set: LabelSet = self.admin.found(request, pk)
        if request_search(label_set):
            messages.success(request, _("The labels are being searched."))
        return HttpResponseRedirect(self.admin.url("crm_agents_labelset_errors", pk))
