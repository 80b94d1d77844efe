"""Worklists: what one agent says of all customers a user may see, to sort, filter, search and take along."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from django.contrib.admin import ShowFacets, display
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.base import AgentsAdmin
from crm_agents.admin.customers import customer_url
from crm_agents.answers import as_of, why_nothing_is_live
from crm_agents.arms import running
from crm_agents.experiment_words import control_left_out
from crm_agents.models import Agent, ScoreRow
from crm_agents.selectors import visible_live_scores
from crm_agents.words import joined
from crm_data.admin.export import ExportMixin
from crm_data.admin.paging import RoughPaginator
from crm_data.selectors import customer_names, visible_customers

EXPORTED_AT_ONCE = 2_000


BY_SCORE = F("score").asc(nulls_first=True)  # no answer is the lowest on every database


class WorklistChangeList(ChangeList):
    """Looks up the names for one page of rows at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.prepare(list(self.result_list))  # type: ignore[attr-defined]


class Worklist(ExportMixin, AgentsAdmin):
    """The live scores of one recipe. Subclasses name it and add their columns.

    `prepare` puts what a page of rows needs from elsewhere into `vars(row)`, in a fixed number of queries.
    """

    recipe: ClassVar[str]
    paginator = RoughPaginator
    show_facets = ShowFacets.NEVER  # facets count
    list_display_links = None
    search_fields = ("customer_id",)
    search_help_text = gettext_lazy("Customer's name or number")
    ordering = (F("score").desc(nulls_last=True),)
    change_list_template = "crm_agents/worklist.html"

    def prepare(self, rows: Sequence[Any]) -> None:
        """Look up the customers' names; override to look up more."""
        for tenant in {row.tenant for row in rows}:
            mine = [row for row in rows if row.tenant == tenant]
            names = customer_names([row.customer_id for row in mine], tenant=tenant)
            for row in mine:
                vars(row)["customer_name"] = names.get(row.customer_id, "")

    @staticmethod
    @display(description=gettext_lazy("customer"))
    def customer_name(row: ScoreRow) -> str:
        return vars(row).get("customer_name") or row.customer_id

    @display(description=gettext_lazy("customer"))
    def customer_link(self, row: ScoreRow) -> SafeString:
        url = customer_url(self.admin_site, row.customer_id, row.tenant)
        return format_html('<a href="{}">{}</a>', url, self.customer_name(row))

    @display(description=gettext_lazy("number"), ordering="customer_id")
    def customer_number(self, row: ScoreRow) -> str:
        return row.customer_id

    @display(description=gettext_lazy("as of"))
    def as_of(self, row: ScoreRow) -> datetime:
        return row.scoring.as_of

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
        return found.select_related("scoring")

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

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        sources = [self._source(agent) for agent in self.agents()] or [{"why": _not_set_up()}]
        return super().changelist_view(request, {"sources": sources, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return HttpResponseRedirect(customer_url(self.admin_site, row.customer_id, row.tenant))

    def export_lines(self, row: Any) -> Iterable[Any]:
        """Yield a prepared row once for each line that it makes in the exported file."""
        yield row

    def _export_rows(self, queryset: QuerySet[Any], names: Sequence[str]) -> Iterator[Sequence[Any]]:
        getters = [self._export_getter(name) for name in names]
        rows = queryset.iterator(chunk_size=EXPORTED_AT_ONCE)
        while batch := list(islice(rows, EXPORTED_AT_ONCE)):
            self.prepare(batch)
            for row in batch:
                for line in self.export_lines(row):
                    yield [get(line) for get in getters]

    def _source(self, agent: Agent) -> dict[str, Any]:
        moment = as_of(agent)
        why = "" if moment else joined(entry["text"] for entry in why_nothing_is_live(agent))
        left_out = "" if running(agent).control is None else control_left_out()
        return {
            "agent": agent,
            "as_of": moment,
            "version": agent.live_version,
            "why": why,
            "left_out": left_out,
        }


def _not_set_up() -> str:
    return _("This agent has not been trained yet.")
