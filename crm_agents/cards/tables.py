"""The tables of a model card: metrics beside the baselines', how surely ahead, and the windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.names import baseline_label, in_order, is_score, lower_is_better, metric_label
from crm_agents.plots.scale import is_number
from crm_agents.words import figure

WINDOWS = {
    "train": gettext_lazy("Training"),
    "validation": gettext_lazy("Validation"),
    "test": gettext_lazy("Test"),
}


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool
    interval: str = ""  # where the value lies in 19 of 20 resamples


@dataclass(frozen=True)
class MetricsTable:
    """One window's metrics: a row a metric, the model first, then every baseline."""

    title: str
    heads: list[str]
    rows: list[tuple[str, list[Cell]]]
    note: str = ""


@dataclass(frozen=True)
class Lead:
    """How much better one is than another. `tone` colours `word`, which says whether that is sure."""

    text: str
    interval: str
    word: str
    tone: str


@dataclass(frozen=True)
class LeadsTable:
    """How far the model is ahead of each baseline, a row a metric."""

    heads: list[str]
    rows: list[tuple[str, list[Lead]]]


def metrics_tables(evaluation: Mapping[str, Any]) -> list[MetricsTable]:
    """Return the tables of the test window and of validation, those that there are."""
    methods = intervals_of(evaluation).get("methods", {})
    found: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
        (_("Test window, which the model had not seen"), evaluation.get("metrics", {}), methods),
        (_("Validation window, used to stop and to choose"), evaluation.get("validation", {}), {}),
    )
    return [
        _table(title, metrics, sure, _note(evaluation) if sure else "")
        for title, metrics, sure in found
        if metrics.get("model")
    ]


def leads_table(evaluation: Mapping[str, Any]) -> LeadsTable | None:
    """Return how surely the model is ahead of each baseline, or None for a version that was not asked."""
    differences = intervals_of(evaluation).get("differences")
    if not differences:
        return None
    baselines = in_order(differences)
    names = in_order({name for found in differences.values() for name in found if is_score(name)})
    return LeadsTable(
        heads=[baseline_label(name) for name in baselines],
        rows=[
            (metric_label(name), [lead(name, *differences[each].get(name, UNKNOWN)) for each in baselines])
            for name in names
        ],
    )


UNKNOWN = (None, None, None)


def lead(metric: str, value: float | None, low: float | None, high: float | None) -> Lead:
    """Put a difference into words; the sign stays that of the metric, whichever way is better."""
    if value is None:
        return Lead("–", "", "", "neutral")
    if low is None or high is None:
        return Lead(signed(value), "", _("unknown"), "neutral")
    shown = between(low, high, sign=True)
    word, tone = surety(metric, low, high)
    return Lead(signed(value), shown, word, tone)


def surety(metric: str, low: float, high: float) -> tuple[str, str]:
    """Return in a word, and its colour, whether an interval lies on one side of no difference."""
    if low <= 0 <= high:
        return _("may be chance"), "neutral"
    better = (low > 0) is not lower_is_better(metric)
    return (_("surely better"), "good") if better else (_("surely worse"), "bad")


def intervals_of(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    found = evaluation.get("intervals")
    return found if isinstance(found, Mapping) else {}


def between(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """Write an interval: "0.7512 to 0.8034"; "" where there is none."""
    if low is None or high is None:
        return ""
    write = signed if sign else figure
    return _("%(low)s to %(high)s") % {"low": write(low), "high": write(high)}


def signed(value: float) -> str:
    return f"{value:+.4f}"


def windows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return (window, from, to, examples), dates in the reader's format."""
    counts = evaluation.get("counts", {})
    return [
        (str(WINDOWS.get(name, name)), day(start), day(end), figure(counts.get(name)))
        for name, (start, end) in sorted(
            evaluation.get("windows", {}).items(), key=lambda item: [*WINDOWS, item[0]].index(item[0])
        )
    ]


def day(moment: str | None) -> str:
    """Write the date of an ISO time in the reader's format."""
    if moment is None:
        return "–"
    parsed = parse_datetime(moment)
    if parsed is None:
        return moment
    return date_format(localtime(parsed) if parsed.tzinfo else parsed, "DATE_FORMAT")


def best_of(metric: str, values: Sequence[object]) -> float | None:
    """Return the best of the values that are numbers; None where none is better than another."""
    known = [value for value in values if is_number(value)]
    if not known or not is_score(metric):
        return None
    return min(known) if lower_is_better(metric) else max(known)


def _table(title: str, metrics: Mapping[str, Any], sure: Mapping[str, Any], note: str) -> MetricsTable:
    baselines = metrics.get("baselines", {})
    columns = {"model": metrics["model"], **{name: baselines[name] for name in in_order(baselines)}}
    names = in_order({name for values in columns.values() for name in values})
    return MetricsTable(
        title=title,
        heads=[baseline_label(name) for name in columns],
        rows=[(metric_label(name), _cells(name, columns, sure)) for name in names],
        note=note,
    )


def _cells(
    metric: str, columns: Mapping[str, Mapping[str, Any]], sure: Mapping[str, Mapping[str, Any]]
) -> list[Cell]:
    values = {name: column.get(metric) for name, column in columns.items()}
    best = best_of(metric, list(values.values()))
    return [
        Cell(
            figure(value),
            value is not None and value == best,
            between(*(sure.get(name, {}).get(metric) or (None, None))),
        )
        for name, value in values.items()
    ]


def _note(evaluation: Mapping[str, Any]) -> str:
    found = intervals_of(evaluation)
    text = _(
        "Beneath each figure: where it lies in %(level)s %% of %(resamples)s resamples of the %(customers)s "
        "customers."
    )
    return text % {
        "level": figure(round(100 * found.get("level", 0))),
        "resamples": figure(found.get("resamples")),
        "customers": figure(found.get("customers")),
    }
