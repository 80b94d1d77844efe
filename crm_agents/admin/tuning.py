"""Comparing and searching from an agent's page: the button, the form, and the sweeps there have been."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.run_reports import REPORTS, RunReport
from crm_agents.admin.search_form import SearchForm
from crm_agents.admin.starting import require_recipe
from crm_agents.admin.sweeps import sweep_badge
from crm_agents.admin.tools import Link
from crm_agents.admin.wording import agent_title
from crm_agents.models import Agent, Purpose, RunStatus, Sweep, SweepStatus, TrainingRun
from crm_agents.plots import render
from crm_agents.plots.tuning import range_test
from crm_agents.services.tuning.sweeps import SweepAlreadyRunning, compare_backbones, start_sweep
from handoff.errors import HandoffError

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin

MANAGE_RUNS = "crm_agents.manage_runs"
SHOWN = 10  # newest sweeps on the page


class TuningTool:
    """Compare backbones, search settings."""

    def urls(self, admin: "AgentsAdmin") -> list[URLPattern]:
        def view(page: Any) -> Any:
            return admin.admin_site.admin_view(lambda request, pk: page(admin, request, pk))

        return [
            path("<int:pk>/tuning/", view(tuning_page), name="crm_agents_agent_tuning"),
            path("<int:pk>/compare/", view(compare), name="crm_agents_agent_compare"),
        ]

    def links(self, admin: "AgentsAdmin", request: HttpRequest, row: Agent) -> list[Link]:
        if not request.user.has_perm(MANAGE_RUNS):
            return []
        running = row.sweeps.filter(status=SweepStatus.RUNNING).exists()
        note = {"note": _("going on"), "tone": "calm"} if running else {}
        return [Link(_("Compare and search settings"), admin.url("crm_agents_agent_tuning", row.pk), **note)]


def tuning_page(admin: "AgentsAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a search, or start it."""
    require(request, MANAGE_RUNS)
    agent: Agent = admin.found(request, pk)
    require_recipe(agent)
    try:
        form = SearchForm(request.POST or None, agent=agent)
    except HandoffError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url_of(agent))
    if request.method == "POST" and form.is_valid():
        answer = _search(admin, request, agent, form)
        if answer is not None:
            return answer
    sweeps = list(agent.sweeps.select_related("started_by")[:SHOWN])
    return admin.page(
        request,
        "crm_agents/tuning.html",
        title=_("Compare and search settings"),
        crumbs=[(agent_title(agent), admin.url_of(agent))],
        agent=agent,
        form=form,
        compare_url=admin.url("crm_agents_agent_compare", agent.pk),
        sweeps=[(sweep, admin.url_of(sweep), sweep_badge(sweep)) for sweep in sweeps],
        sweeps_url=f"{admin.url('crm_agents_sweep_changelist')}?agent__id__exact={agent.pk}",
        back=admin.url_of(agent),
    )


def compare(admin: "AgentsAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Start a trial of every backbone, on one split."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require(request, MANAGE_RUNS)
    agent: Agent = admin.found(request, pk)
    require_recipe(agent)
    try:
        sweep = compare_backbones(agent, user=request.user)
    except SweepAlreadyRunning as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(admin.url_of(error.sweep))
    except HandoffError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url_of(agent))
    return _to(admin, request, sweep)


def _search(
    admin: "AgentsAdmin", request: HttpRequest, agent: Agent, form: SearchForm
) -> HttpResponse | None:
    try:
        sweep = start_sweep(agent, space=form.space, config=form.shared, user=request.user, **form.options)
    except SweepAlreadyRunning as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(admin.url_of(error.sweep))
    except HandoffError as error:
        form.add_handoff_error(error)
        return None
    return _to(admin, request, sweep)


def _to(admin: "AgentsAdmin", request: HttpRequest, sweep: Sweep) -> HttpResponse:
    messages.success(request, _("The sweep was started. A worker begins its first trial within seconds."))
    return HttpResponseRedirect(admin.url_of(sweep))


def range_report(admin: "AgentsAdmin", request: HttpRequest, run: TrainingRun) -> RunReport | None:
    """Show the curve of a range test, and the way to a run with the rate it suggests."""
    plot = range_test(run.report.get("points") or [], run.report.get("suggested"))
    if plot is None:
        return None
    suggested = run.report.get("suggested")
    start = f"{admin.url('crm_agents_agent_start', run.agent_id)}?from={run.pk}"
    may_start = suggested and request.user.has_perm(MANAGE_RUNS)
    context = {
        "plot": render(plot),
        "suggested": f"{suggested:.3g}" if suggested else "",
        "start_url": start if may_start else "",
    }
    return RunReport("crm_agents/range_test.html", context)


def trial_report(admin: "AgentsAdmin", request: HttpRequest, run: TrainingRun) -> RunReport | None:
    """Lead from a trial to its sweep, and to a full run with its settings."""
    if run.sweep is None:
        return None
    may_start = run.status == RunStatus.SUCCEEDED and request.user.has_perm(MANAGE_RUNS)
    start = f"{admin.url('crm_agents_agent_start', run.agent_id)}?from={run.pk}"
    context = {
        "number": run.trial,
        "sweep_url": admin.url_of(run.sweep),
        "start_url": start if may_start else "",
    }
    return RunReport("crm_agents/trial.html", context)


REPORTS[Purpose.RANGE_TEST] = range_report
REPORTS[Purpose.TRIAL] = trial_report
