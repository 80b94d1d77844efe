"""What is wrong with an agent at this moment, as facts; `alerting` opens and closes alerts by it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_agents.models import Agent, AlertKind, Purpose, RunStatus, ScoringRun
from crm_agents.names import LOWER_IS_BETTER
from crm_agents.recipes import get_recipe
from crm_agents.services.watching.facts import drifted, promised, realised_count, realised_value

NIGHTLY = 24  # hours between scorings where the agent has no schedule of its own
FEWEST = 30  # customers whose outcome is known, before a drop is believed
SHOWN = 10  # drifted inputs that are named


@dataclass(frozen=True)
class Finding:
    """One thing that a person should look at."""

    kind: AlertKind
    detail: Mapping[str, Any] = field(default_factory=dict)
    scoring: ScoringRun | None = None

    def is_known_from(self, detail: Mapping[str, Any]) -> bool:
        """Whether somebody who dismissed an alert with `detail` has seen this already."""
        if self.kind == AlertKind.INPUT_DRIFT:
            seen = {each["name"] for each in detail.get("features", [])}
            mine = {each["name"] for each in self.detail["features"]}
            return bool(detail.get("version") == self.detail["version"] and mine <= seen)
        return bool(detail.get("cause") == self.detail["cause"])


def findings(agent: Agent, now: dt.datetime) -> list[Finding]:
    """Return everything that is wrong with an agent now, at most one of a kind."""
    found = [*_drift(agent), _drop(agent), _stale(agent, now), _failed(agent)]
    return [finding for finding in found if finding is not None]


def _drift(agent: Agent) -> list[Finding]:
    newest = _of_live(agent).order_by("-created_at").first()
    if newest is None or "features" not in newest.drift:
        return []
    facts, limit = newest.drift, agent.drift_limit
    about = {"version": newest.version.number, "limit": limit, "cause": newest.version_id}
    found = []
    moved = [each for each in facts["features"] if drifted(facts, each, limit)]
    if moved:
        named = [{"name": each["name"], "psi": each["psi"]} for each in moved[:SHOWN]]
        found.append(Finding(AlertKind.INPUT_DRIFT, {**about, "features": named}, newest))
    scores = facts.get("scores")
    if scores and drifted(facts, scores, limit):
        found.append(Finding(AlertKind.SCORE_DRIFT, {**about, "psi": scores["psi"]}, newest))
    return found


def _drop(agent: Agent) -> Finding | None:
    """The newest scores of the live version whose outcome is known: are they as good as its test?"""
    judged = _of_live(agent).filter(realised_at__isnull=False).exclude(realised__has_key="problem")
    newest = judged.order_by("-as_of").first()
    if newest is None or realised_count(newest.realised) < FEWEST:
        return None
    metric = get_recipe(agent.name).gate.metric
    tested, realised = promised(newest.version, metric), realised_value(newest.realised, metric)
    if tested is None or realised is None:
        return None
    lost = realised - tested if metric in LOWER_IS_BETTER else tested - realised
    if lost <= agent.drop_limit * abs(tested):
        return None
    detail = {
        "metric": metric,
        "realised": realised,
        "promised": tested,
        "version": newest.version.number,
        "as_of": newest.as_of.isoformat(),
        "customers": realised_count(newest.realised),
        "cause": str(newest.pk),
    }
    return Finding(AlertKind.RESULTS_DROP, detail, newest)


def _stale(agent: Agent, now: dt.datetime) -> Finding | None:
    """Scores that missed two of their turns."""
    live = agent.live_scoring
    if live is None:
        return None
    hours = 2 * (agent.score_every_hours or NIGHTLY) + 1
    made = live.finished_at or live.created_at
    if now - made <= dt.timedelta(hours=hours):
        return None
    detail = {"made_at": made.isoformat(), "hours": hours, "cause": str(live.pk)}
    return Finding(AlertKind.STALE, detail, live)


def _failed(agent: Agent) -> Finding | None:
    """The newest scoring, or the newest run that no person started, has failed."""
    runs = agent.runs.filter(purpose=Purpose.TRAIN, started_by=None).defer("log_tail")
    run = runs.exclude(started_for={}).order_by("-created_at").first()
    if run is not None and run.status == RunStatus.FAILED:
        newer = agent.runs.filter(purpose=Purpose.TRAIN, created_at__gt=run.created_at)
        if not newer.filter(status=RunStatus.SUCCEEDED).exists():
            detail = {"what": "training", "error": run.error, "cause": str(run.pk)}
            return Finding(AlertKind.RUN_FAILED, detail)
    scoring = agent.scorings.filter(shadow=False).order_by("-created_at").first()
    if scoring is not None and scoring.status == RunStatus.FAILED:
        detail = {"what": "scoring", "error": scoring.error, "cause": str(scoring.pk)}
        return Finding(AlertKind.RUN_FAILED, detail, scoring)
    return None


def _of_live(agent: Agent) -> Any:
    """Complete scorings by the version that is live; older versions' troubles are past."""
    mine = ScoringRun.objects.filter(agent=agent, shadow=False, version=agent.live_version_id)
    return mine.filter(status=RunStatus.SUCCEEDED).select_related("version")
