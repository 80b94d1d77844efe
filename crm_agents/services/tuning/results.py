"""What a sweep has found, read from the rows of its trials."""

from collections.abc import Iterable
from typing import Any

from crm_agents.models import RunStatus, Sweep, TrainingRun

# Columns that pages of many trials do not read.
HEAVY = ("log_tail", "progress", "missing", "furthest")


def trials_of(sweep: Sweep) -> list[TrainingRun]:
    """Return the sweep's trials in the order of their numbers, without their logs."""
    trials = list(sweep.trials.defer(*HEAVY).order_by("trial"))
    for trial in trials:
        trial.sweep = sweep
    return trials


def best_trial(trials: Iterable[TrainingRun]) -> TrainingRun | None:
    """Return the finished trial with the highest value, the earlier one of equals."""
    finished = [trial for trial in trials if trial.status == RunStatus.SUCCEEDED and trial.value is not None]
    return max(finished, key=lambda trial: (trial.value or 0.0, -(trial.trial or 0)), default=None)


def parameters_of(sweep: Sweep, trial: TrainingRun) -> dict[str, Any]:
    """Return the settings of a trial that the sweep varies."""
    return {name: trial.config.get(name) for name in sweep.space}
