"""Worklists: what one agent says of all customers a user may see, to sort, filter, search and take along."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.base import AgentsAdmin
from crm_agents.admin.customers import customer_url
from crm_agents.admin.export import csv_response
from crm_agents.answers import as_of, why_nothing_is_live
from crm_agents.models import Agent, ScoreRow
from crm_agents.selectors import visible_live_scores
from crm_data.selectors import customer_names, visible_customers

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

COUNTED = 10_000  # a list says "10,000" where it is longer: counting a million rows stalls the page
EXPORTED_AT_ONCE = 2_000


class CappedPaginator(AnyPaginator):
    """Counts no further than COUNTED rows; what lies beyond is found by filter and search."""

    @cached_property
    def count(self) -> int:  # type: ignore[override]  # a cached_property in Django, too
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:COUNTED].count()


class WorklistChangeList(ChangeList):
    """Looks up the names for one page of rows at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.prepare(list(self.result_list))  # type: ignore[attr-defined]


class Worklist(AgentsAdmin):
    """The live scores of one recipe. Subclasses name it and add their columns.

    `prepare` puts what a page of rows needs from elsewhere into `vars(row)`, in a fixed number of queries.
    """

    recipe: ClassVar[str]
    paginator = CappedPaginator
    show_facets = ShowFacets.NEVER  # facets count
    actions = None
    list_display_links = None
    search_fields = ("customer_id",)
    search_help_text = gettext_lazy("Customer's name or number")
    ordering = (F("score").desc(nulls_last=True),)
    change_list_template = "crm_agents/worklist.html"
    export_header: ClassVar[Sequence[Any]]

    def prepare(self, rows: Sequence[Any]) -> None:
        """Look up the customers' names; override to look up more."""
        for tenant in {row.tenant for row in rows}:
            mine = [row for row in rows if row.tenant == tenant]
            names = customer_names([row.customer_id for row in mine], tenant=tenant)
            for row in mine:
                vars(row)["customer_name"] = names.get(row.customer_id, "")

    def export_rows(self, row: Any) -> list[list[Any]]:
        """Return the lines of one prepared row in the exported file."""
        raise NotImplementedError

    @staticmethod
    def name_of(row: ScoreRow) -> str:
        return vars(row).get("customer_name") or row.customer_id

    def customer_link(self, row: ScoreRow) -> SafeString:
        url = customer_url(self.admin_site, row.customer_id, row.tenant)
        return format_html('<a href="{}">{}</a>', url, self.name_of(row))

    customer_link.short_description = gettext_lazy("customer")  # type: ignore[attr-defined]

    # Scores are shown to whom may see scores, not to whom may see a table.

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("crm_agents.view_scores")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def agents(self) -> list[Agent]:
        agents = Agent.objects.filter(name=self.recipe)
        return list(agents.select_related("live_scoring", "live_version"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = self.model._default_manager.none()
        for agent in self.agents():
            if agent.live_scoring is not None:
                found = found | visible_live_scores(agent, request.user)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(pk__in=[])
        for agent in self.agents():
            named = visible_customers(request.user, tenant=agent.tenant).filter(
                Q(crm_name__icontains=term) | Q(crm_id__istartswith=term)
            )
            wanted |= Q(tenant=agent.tenant, customer_id__in=named.values("crm_id"))
        return queryset.filter(wanted), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WorklistChangeList

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export_view)
        return [path("export/", export, name=f"{self._prefix}_export"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {
            "sources": [self._source(agent) for agent in self.agents()] or [{"why": _not_set_up()}],
            "export_url": f"{self.url(f'{self._prefix}_export')}?{request.GET.urlencode()}",
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return HttpResponseRedirect(customer_url(self.admin_site, row.customer_id, row.tenant))

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Send the list, as filtered and sorted, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).queryset
        return csv_response(f"{self.recipe}.csv", self.export_header, self._lines(rows))

    def _lines(self, rows: QuerySet[Any]) -> Any:
        batch: list[Any] = []
        for row in rows.iterator(chunk_size=EXPORTED_AT_ONCE):
            batch.append(row)
            if len(batch) == EXPORTED_AT_ONCE:
                yield from self._prepared(batch)
                batch = []
        yield from self._prepared(batch)

    def _prepared(self, batch: list[Any]) -> list[list[Any]]:
        self.prepare(batch)
        return [line for row in batch for line in self.export_rows(row)]

    @property
    def _prefix(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def _source(self, agent: Agent) -> dict[str, Any]:
        moment = as_of(agent)
        why = "" if moment else why_nothing_is_live(agent)
        return {"agent": agent, "as_of": moment, "version": agent.live_version, "why": why}


def _not_set_up() -> str:
    return _("This agent has not been trained yet.")
