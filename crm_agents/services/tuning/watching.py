"""What a trial has reached so far, by its own progress file, and whether the pruner would end it."""

from pathlib import Path
from typing import Any

from django.db import close_old_connections

from crm_agents.models import Sweep, TrainingRun
from crm_agents.services.supervision import StoppedEarly
from crm_agents.services.tuning.results import trials_of
from handoff.files import read_json
from handoff.progress import ProgressReader

Reached = list[list[float]]


class TrialWatch:
    """Follows one trial, by its file from the beginning: a resumed one is judged as an undisturbed one.

    An epoch that was killed before its checkpoint is measured twice, at the same step, and counts once.
    """

    def __init__(self, sweep: Sweep, trial: TrainingRun, folder: Path) -> None:
        self._sweep, self._trial = sweep, trial
        self._reader = ProgressReader(folder)
        self._by_step: dict[int, float] = {}
        self._of = 0
        self._judged = 0

    def look(self) -> dict[str, Any]:
        """Return what to store of new epochs, {} for none. Raises StoppedEarly where it should end."""
        for line in self._reader.read():
            value = line.metrics.get(self._sweep.metric)
            if line.phase == "training" and value is not None:
                self._by_step[line.step], self._of = value, line.of
        reached = self.reached
        if len(reached) == self._judged:
            return {}
        self._judged = len(reached)
        self._judge(reached)
        return {"reached": reached, "value": max(value for _, value in reached)}

    @property
    def reached(self) -> Reached:
        """Return [epoch, value] of every epoch that was measured."""
        return [[epoch, self._by_step[step]] for epoch, step in enumerate(sorted(self._by_step), 1)]

    def _judge(self, reached: Reached) -> None:
        if self._sweep.pruner == "none":
            return
        from crm_agents.services.tuning.study import hopeless  # Optuna: for searches only

        close_old_connections()  # the database may have closed one that was idle for an epoch
        others = [other for other in trials_of(self._sweep) if other.pk != self._trial.pk]
        # The last epoch is past saving anything.
        open_epochs = reached[:-1] if max(self._by_step) >= self._of else reached
        epoch = hopeless(self._sweep, others, self._trial, open_epochs)
        if epoch is not None:
            kept = [pair for pair in reached if pair[0] <= epoch]
            raise StoppedEarly({"reached": kept, "value": max(value for _, value in kept)})


def found_by(sweep: Sweep, trial: TrainingRun, folder: Path) -> dict[str, Any]:
    """Return what to store of a trial that went to its end: its report, epochs and value.

    The value is that of the weights the trial kept, which need not be those of its last epoch.
    """
    watch = TrialWatch(sweep, trial, folder)
    watch.look()
    report = read_json(folder / "report.json")
    return {"report": report, "reached": watch.reached, "value": _value(sweep.metric, report, watch)}


def _value(metric: str, report: dict[str, Any], watch: TrialWatch) -> float | None:
    if report.get("metric") == metric:
        return _number(report.get("value"))
    validation = report.get("validation") or {}
    value = validation.get("model", validation).get(metric)
    return _number(value) or max((value for _, value in watch.reached), default=None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
