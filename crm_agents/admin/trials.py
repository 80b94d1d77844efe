"""A sweep's trials as a page shows them: rows of a table, and plots."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents.admin.badges import status_badge
from crm_agents.admin.progress import time_taken
from crm_agents.admin.wording import duration, figure
from crm_agents.models import Sweep, SweepKind, TrainingRun
from crm_agents.names import metric_label
from crm_agents.plots import comparison, render
from crm_agents.plots.tuning import Dimension, TrialLine, importance, parallel_coordinates
from crm_agents.services.tuning.results import best_trial, parameters_of, trials_of
from crm_agents.services.tuning.space import read_space
from crm_agents.words import number

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin


class Row(NamedTuple):
    """One trial in the table."""

    trial: TrainingRun
    url: str
    settings: list[str]
    status: SafeString
    value: str
    epochs: str
    seconds: str
    weights: str
    best: bool
    train_url: str


def sweep_state(admin: "AgentsAdmin", sweep: Sweep, *, may_run: bool) -> dict[str, Any]:
    """Return what the page shows of a sweep that changes while it goes on."""
    trials = trials_of(sweep)
    best = best_trial(trials)
    rows = [_row(admin, sweep, trial, best, may_run=may_run) for trial in trials]
    if sweep.kind == SweepKind.COMPARISON:
        rows.sort(key=lambda row: (row.trial.value is None, -(row.trial.value or 0.0)))
    return {
        "trials": trials,
        "rows": rows,
        "best": next((row for row in rows if row.best), None),
        "heads": [name.replace("_", " ") for name in sweep.space],
        "metric": metric_label(sweep.metric),
        "ended": number(sum(not trial.is_active for trial in trials)),
        "planned": number(sweep.planned),
        "percent": round(100 * sum(not trial.is_active for trial in trials) / max(1, sweep.planned)),
    }


def sweep_plots(sweep: Sweep, trials: Sequence[TrainingRun]) -> list[SafeString]:
    """Return what tells most: bars where one setting has a few values, else importance and every trial."""
    best = best_trial(trials)
    space = read_space(sweep.space)
    if len(space) == 1 and all(parameter.values for parameter in space.values()):
        return _bars(sweep, trials)
    lines = [
        TrialLine(
            str(trial.trial),
            {**parameters_of(sweep, trial), "value": trial.value},
            "best" if trial is best else "finished" if trial.status == "succeeded" else "stopped",
        )
        for trial in trials
        if trial.value is not None
    ]
    dimensions = [
        Dimension(name, name.replace("_", " "), parameter.log, parameter.values)
        for name, parameter in space.items()
    ]
    dimensions.append(Dimension("value", metric_label(sweep.metric)))
    drawn = (importance(sweep.importance), parallel_coordinates(dimensions, lines))
    return [render(plot) for plot in drawn if plot is not None]


def _bars(sweep: Sweep, trials: Sequence[TrainingRun]) -> list[SafeString]:
    measured = [trial for trial in trials if trial.value is not None]
    measured.sort(key=lambda trial: -(trial.value or 0.0))
    values = [(_setting(*parameters_of(sweep, trial).values()), trial.value) for trial in measured]
    plot = comparison("comparison", metric_label(sweep.metric), values, note=_("On the validation window."))
    return [render(plot)] if plot else []


def _row(
    admin: "AgentsAdmin", sweep: Sweep, trial: TrainingRun, best: TrainingRun | None, *, may_run: bool
) -> Row:
    weights = trial.report.get("parameters")
    start = admin.url("crm_agents_agent_start", sweep.agent_id)
    return Row(
        trial=trial,
        url=admin.url_of(trial),
        settings=[_setting(value) for value in parameters_of(sweep, trial).values()],
        status=status_badge(trial),
        value=figure(trial.value),
        epochs=str(len(trial.reached)) if trial.reached else "–",
        seconds=_seconds(trial),
        weights=number(weights) if isinstance(weights, int) else "–",
        best=trial is best,
        train_url=f"{start}?from={trial.pk}" if may_run else "",
    )


def _setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seconds(trial: TrainingRun) -> str:
    """Return the trainer's own time where it told, else the worker's."""
    told = trial.report.get("seconds")
    return duration(told) if isinstance(told, int | float) else time_taken(trial)
