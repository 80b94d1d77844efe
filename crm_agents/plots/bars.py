"""Bars: a metric against the baselines', the spread of scores, and hits and misses."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots.figure import WIDTH, Bar, Label, Plot, axis, x_scale, y_scale
from crm_agents.plots.scale import Scale, is_number, number, pixels

ROW = 34
ROOM_FOR_FIGURES = 80


def comparison(slug: str, title: str, values: Sequence[tuple[str, Any]], *, note: str = "") -> Plot | None:
    """Plot one metric as a bar a name, the model first; None where the model has no number."""
    if not (values and is_number(values[0][1])):
        return None
    known = [(name, float(value)) for name, value in values if is_number(value)]
    bars, labels = _stacked([(name, value, 1 if row == 0 else 2) for row, (name, value) in enumerate(known)])
    return Plot(
        slug=slug,
        title=title,
        description=note,
        heads=(_("Method"), title),
        rows=[(name, number(value)) for name, value in known],
        bars=bars,
        labels=labels,
        height=ROW * len(known),
    )


def confusion(counts: Mapping[str, Any]) -> Plot | None:
    """Plot hits, misses and false alarms at the threshold in use; None where a count is missing."""
    if not all(is_number(counts.get(name)) for name in ("tp", "fp", "fn", "tn", "threshold")):
        return None
    named = [
        (_("Warned, and it happened"), counts["tp"], 1),
        (_("Warned, but it did not happen"), counts["fp"], 2),
        (_("Not warned, but it happened"), counts["fn"], 2),
        (_("Not warned, and it did not happen"), counts["tn"], 1),
    ]
    bars, labels = _stacked(named)
    return Plot(
        slug="confusion",
        title=_("Right and wrong"),
        description=_("Counted as warned from a score of %(threshold)s.")
        % {"threshold": number(counts["threshold"])},
        heads=(_("Case"), _("Customers")),
        rows=[(name, number(count)) for name, count, _series in named],
        bars=bars,
        labels=labels,
        height=ROW * len(named),
        legend=((1, _("Right")), (2, _("Wrong"))),
    )


def histogram(bins: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot how many customers got which score: those who left stand on those who stayed."""
    if not bins:
        return None
    highest = max(each["positives"] + each["negatives"] for each in bins) or 1
    x, y = x_scale(bins[0]["from"], bins[-1]["to"]), y_scale(0, highest)
    bars = []
    for each in bins:
        stayed, left = each["negatives"], each["positives"]
        bars.append(_column(x, y, each, 0, stayed, series=1))
        bars.append(_column(x, y, each, stayed, stayed + left, series=2))
    return Plot(
        slug="histogram",
        title=_("Spread of scores"),
        description=_("Customers of the test window by score. The two colours should lie apart."),
        heads=(_("Score from"), _("to"), _("Outcome happened"), _("Did not happen")),
        rows=[
            (number(each["from"]), number(each["to"]), str(each["positives"]), str(each["negatives"]))
            for each in bins
        ],
        x_title=_("Score"),
        y_title=_("Customers"),
        x_ticks=axis(x),
        y_ticks=axis(y, whole=True),
        bars=bars,
        legend=((1, _("Did not happen")), (2, _("Outcome happened"))),
    )


def _stacked(named: Sequence[tuple[str, float, int]]) -> tuple[list[Bar], list[Label]]:
    """One row each for (name, value, series): the name, under it the bar, behind it the value."""
    highest = max(value for _name, value, _series in named)
    scale = Scale(0, highest if highest > 0 else 1, 0, WIDTH - ROOM_FOR_FIGURES)
    bars, labels = [], []
    for row, (name, value, series) in enumerate(named):
        top, width = row * ROW, scale(value)
        bars.append(Bar("0", pixels(top + 17), pixels(width), "12", series))
        labels.append(Label("0", pixels(top + 12), name))
        labels.append(Label(pixels(width + 6), pixels(top + 27), number(value)))
    return bars, labels


def _column(x: Scale, y: Scale, each: Mapping[str, Any], low: float, high: float, *, series: int) -> Bar:
    left, right = x(each["from"]), x(each["to"])
    return Bar(
        pixels(left + 0.5), pixels(y(high)), pixels(right - left - 1), pixels(y(low) - y(high)), series
    )
