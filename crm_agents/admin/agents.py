"""Agents: what each does, how it is doing, and the buttons that start, rescore and roll back."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import TONES, alert_note, badge, status_badge, verdict_badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.customers import customer_urls
from crm_agents.admin.readiness import readiness
from crm_agents.admin.starting import start_page
from crm_agents.admin.tools import agent_tools
from crm_agents.admin.wording import agent_title, gate_sentence
from crm_agents.models import Agent, Alert, Purpose, RunStatus, ScoringRun, TrainingRun
from crm_agents.recipes import Recipe, get_recipe
from crm_agents.selectors import scoring_before
from crm_agents.services.agents import ensure_agents
from crm_agents.services.freshness import freshness_of
from crm_agents.services.publishing import NothingToRollBackTo, roll_back
from crm_agents.services.runs import active_run, planned_config
from crm_agents.services.scoring import NothingToScore, ScoringAlreadyActive, start_scoring
from crm_agents.words import number
from crm_data.clock import local
from crm_data.selectors import get_source
from handoff.errors import HandoffError

MANAGE_RUNS = "crm_agents.manage_runs"
PROMOTE = "crm_agents.promote_version"
SHOWN = 5  # newest runs and versions on an agent's page


class AgentAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", MANAGE_RUNS, PROMOTE)
    list_display = ("title", "live", "alerts", "last_run", "scored", "as_of")
    list_display_links = ("title",)
    list_select_related = ("live_version__agent", "live_scoring")
    change_list_template = "crm_agents/agent_list.html"
    search_fields = ("name", "tenant")

    def get_list_filter(self, request: HttpRequest) -> Any:
        return ["tenant"] if len(list(get_source().tenants())) > 1 else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        trainings = TrainingRun.objects.filter(agent=OuterRef("pk"), purpose=Purpose.TRAIN)
        newest = trainings.order_by("-created_at")
        found: QuerySet[Agent] = super().get_queryset(request)
        opened = Alert.objects.filter(agent=OuterRef("pk"), closed_at=None).order_by()
        counted = opened.values("agent").annotate(count=Count("pk")).values("count")
        return found.annotate(
            last_status=Subquery(newest.values("status")[:1]), open_alerts=Subquery(counted)
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/start/", view(self.start_view), name="crm_agents_agent_start"),
            path("<int:pk>/rescore/", view(self.rescore_view), name="crm_agents_agent_rescore"),
            path("<int:pk>/roll-back/", view(self.roll_back_view), name="crm_agents_agent_roll_back"),
            *customer_urls(self),
            *(pattern for tool in agent_tools() for pattern in tool.urls(self)),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_permission(request):
            for tenant in get_source().tenants():
                ensure_agents(tenant)
        customers = {"customers_url": self.url("crm_agents_customers")}
        return super().changelist_view(request, {**customers, **(extra_context or {})})

    @admin.display(description=gettext_lazy("agent"), ordering="name")
    def title(self, agent: Agent) -> str:
        return agent_title(agent)

    @admin.display(description=gettext_lazy("live version"))
    def live(self, agent: Agent) -> str:
        if agent.live_version is None:
            return badge("neutral", _("none"))
        return format_html("v{} {}", agent.live_version.number, verdict_badge(agent.live_version))

    @admin.display(description=gettext_lazy("alerts"))
    def alerts(self, agent: Agent) -> str:
        opened: int | None = agent.open_alerts  # type: ignore[attr-defined]  # annotated by get_queryset
        return alert_note(opened) if opened else "–"

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, agent: Agent) -> str:
        status: str | None = agent.last_status  # type: ignore[attr-defined]  # annotated by get_queryset
        if status is None:
            return badge("neutral", _("never run"))
        return badge(TONES.get(status, "neutral"), RunStatus(status).label)

    @admin.display(description=gettext_lazy("customers scored"))
    def scored(self, agent: Agent) -> str:
        return number(agent.live_scoring.rows) if agent.live_scoring else "–"

    @admin.display(description=gettext_lazy("as of"))
    def as_of(self, agent: Agent) -> str:
        return date_format(local(agent.live_scoring.as_of), "DATETIME_FORMAT") if agent.live_scoring else "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        agent: Agent = self.found(request, object_id)
        return self.page(
            request,
            "crm_agents/agent.html",
            title=self.title(agent),
            agent=agent,
            **self._purpose(agent),
            **self._history(agent),
            **self._buttons(request, agent),
            links=[link for tool in agent_tools() for link in tool.links(self, request, agent)],
        )

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the form of a run's settings, or start the run."""
        return start_page(self, request, pk)

    def rescore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Score every customer anew with the live version."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE_RUNS)
        agent: Agent = self.found(request, pk)
        try:
            scoring = start_scoring(agent, user=request.user)
        except ScoringAlreadyActive as error:
            messages.warning(request, str(error))
            return HttpResponseRedirect(self.url_of(error.scoring))
        except (NothingToScore, HandoffError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.url_of(agent))
        messages.success(request, _("Scoring was started. What readers see changes once it is complete."))
        return HttpResponseRedirect(self.url_of(scoring))

    def roll_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then show readers the set of scores that was live before."""
        require(request, PROMOTE)
        agent: Agent = self.found(request, pk)
        before = scoring_before(agent)
        if request.method != "POST" and before is not None:
            return self._ask_to_roll_back(request, agent, before)
        try:
            if before is None:
                raise NothingToRollBackTo(agent)
            scoring = roll_back(agent, user=request.user)
        except NothingToRollBackTo as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%s is live again.") % scoring.version)
        return HttpResponseRedirect(self.url_of(agent))

    def _ask_to_roll_back(self, request: HttpRequest, agent: Agent, before: ScoringRun) -> HttpResponse:
        version = before.version.number
        return self.page(
            request,
            "crm_agents/confirm.html",
            title=_("Roll back %(agent)s to v%(number)s?") % {"agent": self.title(agent), "number": version},
            crumbs=[(self.title(agent), self.url_of(agent))],
            consequences=[
                _("Readers see the scores of v%s, which were live before these, at once.") % version,
                _("Nothing is deleted: the present version can be promoted again."),
            ],
            button=_("Roll back to v%s") % version,
            back=self.url_of(agent),
        )

    def _purpose(self, agent: Agent) -> dict[str, Any]:
        recipe = _recipe(agent)
        if recipe is None:
            return {"problem": _("No installed app registers this agent, so it cannot be started.")}
        try:
            config = planned_config(agent, {})
        except HandoffError as error:
            return {"recipe": recipe, "gate": gate_sentence(recipe.gate), "problem": str(error)}
        return {
            "recipe": recipe,
            "gate": gate_sentence(recipe.gate),
            "readiness": readiness(agent.tenant, config),
        }

    def _history(self, agent: Agent) -> dict[str, Any]:
        trainings = agent.runs.filter(purpose=Purpose.TRAIN)
        runs = trainings.select_related("started_by", "version").defer("log_tail")[:SHOWN]
        versions = agent.versions.all()[:SHOWN]
        scoring, newest = agent.live_scoring, agent.scorings.filter(shadow=False).first()
        failed = newest if newest and newest.status == RunStatus.FAILED else None
        return {
            "failed_scoring_url": self.url_of(failed) if failed else "",
            "live_url": self.url_of(agent.live_version) if agent.live_version else "",
            "live_verdict": verdict_badge(agent.live_version) if agent.live_version else "",
            "scored": number(scoring.rows) if scoring else "",
            "scoring_url": self.url_of(scoring) if scoring else "",
            "freshness": freshness_of(agent),
            "runs": [(run, self.url_of(run), status_badge(run)) for run in runs],
            "versions": [(version, self.url_of(version), verdict_badge(version)) for version in versions],
            "runs_url": f"{self.url('crm_agents_trainingrun_changelist')}?agent__id__exact={agent.pk}"
            f"&purpose__exact={Purpose.TRAIN.value}",
            "versions_url": f"{self.url('crm_agents_modelversion_changelist')}?agent__id__exact={agent.pk}",
        }

    def _buttons(self, request: HttpRequest, agent: Agent) -> dict[str, Any]:
        """URLs of what the user may do now; a missing one hides its button."""
        known = _recipe(agent) is not None
        active = active_run(agent)
        may_run = known and request.user.has_perm(MANAGE_RUNS)
        live = agent.live_version_id is not None
        before = scoring_before(agent) if request.user.has_perm(PROMOTE) else None
        return {
            "active_url": self.url_of(active) if active else "",
            "start_url": self.url("crm_agents_agent_start", agent.pk) if may_run and not active else "",
            "compare_url": self.url("crm_agents_agent_compare", agent.pk) if may_run else "",
            "rescore_url": self.url("crm_agents_agent_rescore", agent.pk) if may_run and live else "",
            "roll_back_url": self.url("crm_agents_agent_roll_back", agent.pk) if before else "",
            "roll_back_text": _("Roll back to v%s") % before.version.number if before else "",
        }


def _recipe(agent: Agent) -> Recipe | None:
    try:
        return get_recipe(agent.name)
    except LookupError:
        return None
