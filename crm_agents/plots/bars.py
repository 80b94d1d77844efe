"""Bars: a metric against the baselines', the spread of scores, and hits and misses."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots.figure import WIDTH, Bar, Label, Line, Plot, axis, x_scale, y_scale
from crm_agents.plots.scale import Scale, is_number, number, pixels

ROW = 34
ROOM_FOR_FIGURES = 80
WHISKER = 7  # series of the stylesheet


Interval = tuple[float | None, float | None]


def comparison(
    slug: str,
    title: str,
    values: Sequence[tuple[str, Any]],
    *,
    note: str = "",
    intervals: Mapping[str, Interval] | None = None,
) -> Plot | None:
    """Plot one metric as a bar a name, the model first; None where the model has no number.

    `intervals` are drawn over the bars of their names.
    """
    if not (values and is_number(values[0][1])):
        return None
    known = [(name, float(value)) for name, value in values if is_number(value)]
    sure = {name: ends for name, ends in (intervals or {}).items() if all(map(is_number, ends))}
    ends = [_ends(sure.get(name)) for name, _value in known]
    highest = max([value for _name, value in known] + [high for each in ends if each for high in each])
    named = [(name, value, 1 if row == 0 else 2) for row, (name, value) in enumerate(known)]
    bars, labels = stacked(named, highest=highest, ends=ends)
    scale = _length(highest)
    return Plot(
        slug=slug,
        title=title,
        description=note,
        heads=(_("Method"), title, *((_("from"), _("to")) if sure else ())),
        rows=[
            (name, number(value), *(_told(each) if sure else ()))
            for (name, value), each in zip(known, ends, strict=True)
        ],
        bars=bars,
        lines=[_whisker(row, each, scale) for row, each in enumerate(ends) if each],
        labels=labels,
        height=ROW * len(known),
    )


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or interval[0] is None or interval[1] is None:
        return None
    return interval[0], interval[1]


def _told(interval: tuple[float, float] | None) -> tuple[str, str]:
    return (number(interval[0]), number(interval[1])) if interval else ("–", "–")


def _whisker(row: int, interval: tuple[float, float], scale: Scale) -> Line:
    middle = row * ROW + 23
    left, right = scale(interval[0]), scale(interval[1])
    ends = [(left, middle - 4), (left, middle + 4), (left, middle), (right, middle), (right, middle - 4)]
    return Line(" ".join(f"{pixels(x)},{pixels(y)}" for x, y in [*ends, (right, middle + 4)]), series=WHISKER)


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
    bars, labels = stacked(named)
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


def stacked(
    named: Sequence[tuple[str, float, int]],
    *,
    highest: float | None = None,
    ends: Sequence[tuple[float, float] | None] = (),
) -> tuple[list[Bar], list[Label]]:
    """One row each for (name, value, series): the name, under it the bar, behind it the value."""
    scale = _length(max(value for _name, value, _series in named) if highest is None else highest)
    bars, labels = [], []
    for row, (name, value, series) in enumerate(named):
        top, width = row * ROW, scale(value)
        reach = ends[row] if row < len(ends) else None
        behind = max(width, scale(reach[1])) if reach else width
        bars.append(Bar("0", pixels(top + 17), pixels(width), "12", series))
        labels.append(Label("0", pixels(top + 12), name))
        labels.append(Label(pixels(behind + 6), pixels(top + 27), number(value)))
    return bars, labels


def _length(highest: float) -> Scale:
    return Scale(0, highest if highest > 0 else 1, 0, WIDTH - ROOM_FOR_FIGURES)


def _column(x: Scale, y: Scale, each: Mapping[str, Any], low: float, high: float, *, series: int) -> Bar:
    left, right = x(each["from"]), x(each["to"])
    return Bar(
        pixels(left + 0.5), pixels(y(high)), pixels(right - left - 1), pixels(y(low) - y(high)), series
    )
