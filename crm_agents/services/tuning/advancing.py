"""The next step of a sweep. There is no coordinator: whoever ends a trial, and the sweeper, takes it.

One at a time, by the lock on the sweep's row; and all that is known stands in the rows, so that a step that
was lost with its worker is taken by the next one.
"""

import logging
import shutil
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.folders import run_folder
from crm_agents.models import Purpose, RunStatus, Sweep, SweepKind, SweepStatus, TrainingRun
from crm_agents.services.runs import RunAlreadyActive, planned_config, start_run
from crm_agents.services.tuning.results import best_trial, trials_of
from crm_agents.services.tuning.space import combinations, read_space
from crm_agents.services.tuning.sweeps import STOPPED_WITH_SWEEP
from crm_agents.services.waking import wake
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)

FUTILE = 3  # trials that failed, and none that succeeded, end a sweep


def advance(pk: UUID | str) -> None:
    """Start the trials that are due, or end the sweep; nothing where it does not go on."""
    while not _advance(pk, _importance(pk)):
        pass  # its last trial has ended meanwhile


def _advance(pk: UUID | str, shares: dict[str, float] | None) -> bool:
    """Take one step; False where the sweep is to end and `shares` were not weighed for it."""
    with transaction.atomic():
        sweep = Sweep.objects.select_for_update().filter(pk=pk, status=SweepStatus.RUNNING).first()
        if sweep is None:
            return True
        trials = trials_of(sweep)
        started = _revive(trials)
        failure = _failure(trials)
        if failure is None and not _is_over(sweep, trials):
            try:
                started += _start(sweep, trials)
                failure = _failure(trials)
            except (HandoffError, LookupError) as error:  # the agent's settings or recipe, since the start
                failure = str(error)
        if _has_ended(sweep, trials, failure):
            if shares is None and failure is None:
                return False
            _end(sweep, trials, failure, shares or {})
        wake(started)
        return True


def advance_all() -> None:
    """Look after every sweep that goes on: a worker may have died between a trial's end and the next one."""
    for pk in Sweep.objects.filter(status=SweepStatus.RUNNING).values_list("pk", flat=True):
        try:
            advance(pk)
        except Exception:  # one sweep's troubles are not the others'
            logger.exception("Sweep %s cannot go on; trying again.", pk)


def _importance(pk: UUID | str) -> dict[str, float] | None:
    """Return what mattered in a sweep that is about to end, None for any other.

    Of many trials it takes seconds, so no lock is held.
    """
    sweep = Sweep.objects.filter(pk=pk, status=SweepStatus.RUNNING).first()
    if sweep is None:
        return None
    trials = trials_of(sweep)
    if not _has_ended(sweep, trials, _failure(trials)):
        return None
    from crm_agents.services.tuning.study import importance  # Optuna: not for workers that never tune

    return importance(sweep, trials)


def _has_ended(sweep: Sweep, trials: list[TrainingRun], failure: str | None) -> bool:
    over = failure is not None or _is_over(sweep, trials)
    return over and not any(trial.is_active or _is_stopped(trial) for trial in trials)


def _is_stopped(trial: TrainingRun) -> bool:
    """Whether the trial ended because its sweep was stopped."""
    return trial.status == RunStatus.CANCELLED and trial.report == STOPPED_WITH_SWEEP


def _revive(trials: list[TrainingRun]) -> list[TrainingRun]:
    """Queue the trials again that ended because the sweep had been stopped."""
    stopped = [trial for trial in trials if _is_stopped(trial)]
    fresh: dict[str, Any] = {
        "status": RunStatus.QUEUED,
        "cancel_requested": False,
        "report": {},
        "reached": [],
        "value": None,
        "progress": {},
        "attempts": 0,
        "woken_at": None,
        "started_at": None,
        "finished_at": None,
    }
    TrainingRun.objects.filter(pk__in=[trial.pk for trial in stopped]).update(**fresh)
    for trial in stopped:
        for name, value in fresh.items():
            setattr(trial, name, value)
    return stopped


def _failure(trials: list[TrainingRun]) -> str | None:
    """Return why no further trial makes sense: words, "" where a trial lists missing data; else None."""
    if any(trial.status == RunStatus.NOT_ENOUGH_DATA for trial in trials):
        return ""
    failed = [trial for trial in trials if trial.status == RunStatus.FAILED]
    succeeded = any(trial.status in (RunStatus.SUCCEEDED, RunStatus.PRUNED) for trial in trials)
    return failed[-1].error if len(failed) >= FUTILE and not succeeded else None


def _is_over(sweep: Sweep, trials: list[TrainingRun]) -> bool:
    late = sweep.minutes is not None and timezone.now() > sweep.created_at + timedelta(minutes=sweep.minutes)
    return len(trials) >= sweep.planned or (late and bool(trials))


def _start(sweep: Sweep, trials: list[TrainingRun]) -> list[TrainingRun]:
    """Create trials until `parallel` are at work; one alone builds the snapshot that all of them share."""
    at_once = sweep.parallel if sweep.snapshot_id else 1
    started: list[TrainingRun] = []
    while len(trials) < sweep.planned and sum(trial.is_active for trial in trials) < at_once:
        trial = _new_trial(sweep, trials)
        trials.append(trial)
        if trial.is_active:
            started.append(trial)
    return started


def _new_trial(sweep: Sweep, trials: list[TrainingRun]) -> TrainingRun:
    number = len(trials)
    trial = TrainingRun(
        agent_id=sweep.agent_id,
        purpose=Purpose.TRIAL,
        sweep=sweep,
        trial=number,
        config={**sweep.config, **_parameters(sweep, trials, number)},
        snapshot_id=sweep.snapshot_id,
        publish=False,
        started_by_id=sweep.started_by_id,
    )
    try:
        planned_config(sweep.agent, trial.config)
    except HandoffError as error:  # settings that do not go together are a trial that failed
        trial.status, trial.error, trial.finished_at = RunStatus.FAILED, str(error), timezone.now()
    trial.save(force_insert=True)
    return trial


def _parameters(sweep: Sweep, trials: list[TrainingRun], number: int) -> dict[str, Any]:
    space = read_space(sweep.space)
    if sweep.kind == SweepKind.COMPARISON:
        return dict(combinations(space)[number])
    if number == 0:  # what the agent has now is the first thing to beat
        config = planned_config(sweep.agent, sweep.config)
        own = {name: getattr(config, name) for name in space}
        if all(space[name].holds(value) for name, value in own.items()):
            return own
    from crm_agents.services.tuning.study import suggest  # Optuna, as above

    return suggest(sweep, trials, number)


def _end(sweep: Sweep, trials: list[TrainingRun], failure: str | None, shares: dict[str, float]) -> None:
    best = best_trial(trials)
    if failure is None and best is None:
        failure = next((trial.error for trial in reversed(trials) if trial.error), "")
        failure = failure or _("No trial was measured: the validation window holds nobody.")
    sweep.status = SweepStatus.SUCCEEDED if failure is None else SweepStatus.FAILED
    sweep.error = failure or ""
    sweep.finished_at = timezone.now()
    sweep.importance = shares
    if failure is None and best is not None and sweep.train_best:
        sweep.error = _train(sweep, best)
    sweep.save(update_fields=["status", "error", "finished_at", "importance"])
    for trial in trials:  # a worker that was killed at the wrong moment has left its folder
        shutil.rmtree(run_folder(trial), ignore_errors=True)


def _train(sweep: Sweep, best: TrainingRun) -> str:
    """Start a full run with the best settings; return why that could not be done, or ""."""
    try:
        start_run(sweep.agent, user=sweep.started_by, config=best.config)
    except (RunAlreadyActive, HandoffError) as error:
        return _("The best settings were not trained: %(why)s") % {"why": error}
    return ""
