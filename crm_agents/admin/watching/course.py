"""The watching page of an agent: how its live version fares, over the days."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents.admin.badges import badge
from crm_agents.admin.base import AgentsAdmin
from crm_agents.admin.watching.alerts import alert_rows
from crm_agents.admin.watching.schedule import MANAGE
from crm_agents.models import Agent, ModelVersion, RunStatus, ScoringRun
from crm_agents.names import metric_label
from crm_agents.plots import Plot, render
from crm_agents.plots.watching import Course, over_time
from crm_agents.recipes import get_recipe
from crm_agents.services.gate import number
from crm_agents.services.watching.facts import drifted, realised_count, realised_value
from crm_agents.words import number as written
from crm_agents.words import percent

SHOWN = 60  # newest scorings of the plots
LISTED = 10  # of the tables

NEEDED = ("id", "agent", "version", "as_of", "created_at", "drift", "realised", "realised_at", "shadow")


def watching_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show alerts, drift and outcomes of an agent, and when it is next at work."""
    agent: Agent = admin.found(request, pk)
    complete = ScoringRun.objects.filter(agent=agent, shadow=False, status=RunStatus.SUCCEEDED)
    scorings = _newest(complete)
    # Of several sets a day one is kept to be judged, and the others are no news.
    judged = _newest(complete.filter(realised_at__isnull=False).exclude(realised={"problem": "not_kept"}))
    metric = _metric(agent)
    promised = _promised({each.version_id for each in judged}, metric)
    may_manage = request.user.has_perm(MANAGE)
    return admin.page(
        request,
        "crm_agents/watching.html",
        title=_("Watching"),
        crumbs=[(str(agent), admin.url_of(agent))],
        agent=agent,
        alerts=alert_rows(admin, agent),
        alerts_url=f"{admin.url('crm_agents_alert_changelist')}?agent__id__exact={agent.pk}",
        schedule_url=admin.url("crm_agents_agent_schedule", agent.pk) if may_manage else "",
        plots=_rendered([_drift_plot(agent, scorings), _outcome_plot(judged, metric, promised)]),
        scorings=[_drift_row(admin, agent, each) for each in scorings[::-1][:LISTED]],
        outcomes=[_outcome_row(admin, each, metric, promised) for each in judged[::-1][:LISTED]],
        metric=metric_label(metric) if metric else "",
        came_true=_came_true(agent),
        tiers=_tiers(agent, judged),
        waiting=any(each.realised_at is None for each in scorings),
    )


def _newest(scorings: QuerySet[ScoringRun]) -> list[ScoringRun]:
    """The newest of them, oldest first, without their long texts."""
    newest = scorings.select_related("version").order_by("-created_at")
    numbered = newest.only(*NEEDED, "version__number", "version__agent")[:SHOWN]
    return sorted(numbered, key=lambda each: each.as_of)


def _metric(agent: Agent) -> str:
    try:
        return get_recipe(agent.name).gate.metric
    except LookupError:
        return ""


def _came_true(agent: Agent) -> str:
    """Head of the column that says of how many it came true."""
    try:
        ranking = not get_recipe(agent.name).tiers
    except LookupError:
        ranking = False
    return _("Bought from the list") if ranking else _("It happened")


def _promised(versions: set[int], metric: str) -> dict[int, float | None]:
    """What each version's test promised, without reading its whole evaluation."""
    tested = ModelVersion.objects.filter(pk__in=versions).values_list("pk", "evaluation__metrics__model")
    return {pk: number((model or {}).get(metric)) for pk, model in tested}


def _drift_plot(agent: Agent, scorings: list[ScoringRun]) -> Plot | None:
    known = [each for each in scorings if "features" in each.drift]
    inputs = [(each.as_of, _largest(each)) for each in known]
    scores = [(each.as_of, _scores(each)) for each in known]
    return over_time(
        "drift",
        _("Drift"),
        _("PSI"),
        [Course(_("Input that moved most"), inputs), Course(_("Scores"), scores)],
        note=_("Distance from the version's own test. Above the dashed line an alert opens."),
        limit=agent.drift_limit,
    )


def _outcome_plot(judged: list[ScoringRun], metric: str, promised: dict[int, float | None]) -> Plot | None:
    realised = [(each.as_of, realised_value(each.realised, metric)) for each in judged]
    tested = [(each.as_of, promised.get(each.version_id)) for each in judged]
    return over_time(
        "outcomes",
        _("Promised and realised"),
        metric_label(metric) if metric else "",
        [Course(_("Realised"), realised), Course(_("Promised by the test"), tested)],
        note=_("By the day of which the scores speak; it is known how they did once their horizon is over."),
    )


def _rendered(plots: list[Plot | None]) -> list[SafeString]:
    return [render(plot) for plot in plots if plot is not None]


def _largest(scoring: ScoringRun) -> float | None:
    features = scoring.drift["features"]
    return features[0]["psi"] if features else None


def _scores(scoring: ScoringRun) -> float | None:
    found = scoring.drift.get("scores")
    return found["psi"] if found else None


def _drift_row(admin: AgentsAdmin, agent: Agent, scoring: ScoringRun) -> dict[str, Any]:
    facts = scoring.drift
    moved = [each for each in facts.get("features", []) if drifted(facts, each, agent.drift_limit)]
    largest = facts["features"][0] if facts.get("features") else None
    return {
        "scoring": scoring,
        "url": admin.url_of(scoring),
        "largest": f"{largest['psi']:.3f} ({largest['name']})" if largest else "–",
        "scores": f"{facts['scores']['psi']:.3f}" if facts.get("scores") else "–",
        "state": _drift_badge(facts, moved),
    }


def _drift_badge(facts: dict[str, Any], moved: list[Any]) -> SafeString | str:
    if "features" not in facts:
        return badge("neutral", _("not measured"))
    if moved:
        return badge("bad", _("%(count)s drifted") % {"count": len(moved)})
    return badge("good", _("stable"))


def _outcome_row(
    admin: AgentsAdmin, scoring: ScoringRun, metric: str, promised: dict[int, float | None]
) -> dict[str, Any]:
    realised, tested = realised_value(scoring.realised, metric), promised.get(scoring.version_id)
    return {
        "scoring": scoring,
        "url": admin.url_of(scoring),
        "customers": written(realised_count(scoring.realised)),
        "happened": _happened(scoring.realised),
        "realised": f"{realised:.4f}" if realised is not None else "–",
        "promised": f"{tested:.4f}" if tested is not None else "–",
        "problem": _problem(scoring.realised),
    }


def _happened(realised: dict[str, Any]) -> str:
    """Of how many it came true: they left, or bought a product of their list."""
    tenths = realised.get("tenths", [])
    customers = sum(each["customers"] for each in tenths)
    return percent(sum(each["happened"] for each in tenths) / customers) if customers else "–"


def _problem(realised: dict[str, Any]) -> str:
    problem = realised.get("problem")
    if problem is None:
        return ""
    if problem == "attempts":
        return _("The worker that judged it died each time.")
    return str(realised.get("error", problem))


def _tiers(agent: Agent, judged: list[ScoringRun]) -> list[tuple[str, str, str, str]]:
    """Of the newest judged scores: how many of each tier there were, and how many turned out so."""
    newest = next((each for each in reversed(judged) if each.realised.get("tiers")), None)
    if newest is None:
        return []
    labels = get_recipe(agent.name).tiers
    found = newest.realised["tiers"]
    named = [name for name in labels if name in found]
    return [
        (
            str(labels[name]),
            written(found[name]["customers"]),
            written(found[name]["happened"]),
            percent(found[name]["happened"] / found[name]["customers"]) if found[name]["customers"] else "–",
        )
        for name in named
    ]
