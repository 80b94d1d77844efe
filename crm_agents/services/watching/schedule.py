"""What the clock asks of an agent: when it is scored, trained, or trained anew because of an alert."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from crm_agents.models import Agent, Alert, AlertKind, Purpose, TrainingRun
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_data.conf import setting

FIELDS = ("train_every_days", "score_every_hours", "retrain_on_drift", "drift_limit", "drop_limit")
# Alerts that a model fine-tuned on newer data may put right.
CURABLE = (AlertKind.INPUT_DRIFT, AlertKind.SCORE_DRIFT, AlertKind.RESULTS_DROP)


def change_schedule(agent: Agent, values: Mapping[str, Any], *, user: audit.Actor = None) -> list[str]:
    """Store an agent's schedule and limits; return the names of what changed."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        changed = [name for name in FIELDS if name in values and getattr(agent, name) != values[name]]
        detail = {name: [getattr(agent, name), values[name]] for name in changed}  # from, to
        for name in changed:
            setattr(agent, name, values[name])
        if changed:
            agent.save(update_fields=changed)
            audit.record(agent, AuditAction.SETTINGS_CHANGED, agent, user=user, detail=detail)
    return changed


def scoring_due(agent: Agent, now: dt.datetime) -> bool:
    """Whether the live version's turn has come; however many turns were missed, it is one."""
    if not agent.score_every_hours or agent.live_version_id is None:
        return False
    newest = agent.scorings.filter(shadow=False).order_by("-created_at").first()
    if newest is None:
        return True
    return not newest.is_active and newest.created_at + dt.timedelta(hours=agent.score_every_hours) <= now


def training_due(agent: Agent, now: dt.datetime) -> dict[str, Any]:
    """Return why a run should be started now, as facts for `TrainingRun.started_for`; {} for no run."""
    newest = _newest_run(agent)
    if newest is not None and newest.is_active:
        return {}
    days = agent.train_every_days
    if days and (newest is None or newest.created_at + dt.timedelta(days=days) <= now):
        return {"code": "schedule", "days": days}
    return _cure(agent, newest, now)


def _cure(agent: Agent, newest: TrainingRun | None, now: dt.datetime) -> dict[str, Any]:
    pause = dt.timedelta(days=setting("RETRAIN_AFTER_DAYS"))
    if not agent.retrain_on_drift or (newest is not None and newest.created_at + pause > now):
        return {}
    alert = Alert.objects.filter(agent=agent, closed_at=None, kind__in=CURABLE).order_by("id").first()
    return {"code": "alert", "kind": alert.kind, "alert": alert.pk} if alert else {}


def _newest_run(agent: Agent) -> TrainingRun | None:
    runs = agent.runs.filter(purpose=Purpose.TRAIN).defer("log_tail")
    return runs.order_by("-created_at").first()
