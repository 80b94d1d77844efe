"""Healing what a dead worker, a dead queue or a lost message left behind."""

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.folders import run_folder
from crm_agents.models import Agent, Leased, RunStatus, ScoringShard, TrainingRun
from crm_agents.services.execution import LOG, tidy_run_folder
from crm_agents.services.freshness import ask_again
from crm_agents.services.labelling.jobs import resend_lost
from crm_agents.services.leases import ENDED, WORKING_STATES
from crm_agents.services.shards import fail_shard
from crm_agents.services.supervision import tail
from crm_agents.services.tuning.advancing import advance_all
from crm_agents.services.waking import send
from crm_data.conf import setting

logger = logging.getLogger(__name__)

# A queued row is woken again after a minute, then after ever longer waits, at most a quarter of an hour:
# its message may be lost, or only wait behind long jobs.
WAKE_AGAIN = dt.timedelta(minutes=1)
WAKE_AT_LEAST = dt.timedelta(minutes=15)
# Phases of a training whose work the next attempt need not do again, in their order.
LASTING = ("pretraining", "training", "refitting", "evaluating")


def sweep() -> int:
    """Heal stranded runs, shards and sweeps; return how many rows were requeued, ended or woken."""
    healed = 0
    for model in (TrainingRun, ScoringShard):
        expired = model._default_manager.filter(status__in=WORKING_STATES, lease_until__lt=timezone.now())
        healed += sum(_heal(row) for row in expired)
        healed += _end_refused(model)
        due = [row for row in model._default_manager.filter(status=RunStatus.QUEUED) if _is_due(row)]
        if send(due):
            healed += len(due)
    advance_all()
    return healed + resend_lost() + ask_again()


def _heal(row: Leased) -> bool:
    """Requeue a row whose worker fell silent, or end it; False where the worker is back."""
    if row.cancel_requested:
        return _end(row, RunStatus.CANCELLED, "")
    furthest = _furthest(row)
    futile = row.attempts - (furthest[-1] if furthest else 0)
    if futile < setting("MAX_ATTEMPTS"):
        notice = _("Its worker stopped answering; another one takes over.")
        logger.warning("%s %s: the worker stopped answering.", type(row).__name__, row.pk)
        values = {**ENDED, "status": RunStatus.QUEUED, "woken_at": None, "notice": notice}
        return _change(row, **values, **({"furthest": furthest} if furthest else {}))
    message = _(
        "The worker stopped answering %(attempts)s times, so it is not tried again. "
        "Most often the machine ran out of memory."
    ) % {"attempts": futile}
    return _end(row, RunStatus.FAILED, message)


def _furthest(row: Leased) -> list[int]:
    """Return phase, step and attempt of the worker that got furthest, the one just lost included.

    Attempts are counted from there: a worker that is killed at every deployment still brings a long
    training forward, one that runs out of memory dies at the same place each time.
    """
    if not isinstance(row, TrainingRun):
        return []
    phase = row.progress.get("phase")
    # Preparing is done again from its beginning, so nothing was gained by it.
    rank = LASTING.index(phase) + 1 if phase in LASTING else 0
    if rank and [rank, row.progress["step"]] > row.furthest[:2]:
        return [rank, row.progress["step"], row.attempts]
    return list(row.furthest)


def _end_refused(model: type[Leased]) -> int:
    """End rows that were given back just when they were to be cancelled: no worker would take them."""
    given_back = model._default_manager.filter(status=RunStatus.QUEUED, cancel_requested=True)
    return given_back.update(status=RunStatus.CANCELLED, finished_at=timezone.now(), **ENDED)


def _end(row: Leased, status: RunStatus, error: str) -> bool:
    values = {**ENDED, "status": status, "error": error, "finished_at": timezone.now()}
    if isinstance(row, TrainingRun):
        values["log_tail"] = tail(run_folder(row) / LOG)
    if isinstance(row, ScoringShard) and status == RunStatus.FAILED:
        return _fail_shard(row, values, error)
    changed = _change(row, **values)
    if changed and isinstance(row, TrainingRun):
        tidy_run_folder(row)
    return changed


def _fail_shard(shard: ScoringShard, values: dict[str, Any], error: str) -> bool:
    """Fail shard and scoring in one step: a scoring that waits for a failed shard blocks its agent."""
    with transaction.atomic():
        Agent.objects.select_for_update().get(pk=shard.scoring.agent_id)  # first, as workers lock them
        changed = _change(shard, **values)
        if changed:
            fail_shard(shard, None, error)
    return changed


def _change(row: Leased, **values: object) -> bool:
    mine = type(row)._default_manager.filter(
        pk=row.pk, lease_owner=row.lease_owner, status__in=WORKING_STATES
    )
    return bool(mine.filter(lease_until__lt=timezone.now()).update(**values))


def _is_due(row: Leased) -> bool:
    if row.woken_at is None:
        return True
    wait = min(max(WAKE_AGAIN, row.woken_at - row.created_at), WAKE_AT_LEAST)
    return timezone.now() - row.woken_at > wait
