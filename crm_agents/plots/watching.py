"""Plots of what becomes of a version: figures over the days, and two distributions side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from crm_agents.plots.figure import LEFT, RIGHT, WIDTH, Bar, Line, Plot, Tick, axis, line, x_scale, y_scale
from crm_agents.plots.scale import Scale, is_number, number, pixels, spread
from crm_data.clock import local

DATES = 5  # at most so many on the axis
BOUNDARIES = 8
LABEL = 12  # pixels by which the last date would stand out


@dataclass(frozen=True)
class Course:
    """One line of a plot: a value for each moment, or none."""

    label: str
    points: Sequence[tuple[datetime, float | None]]


def over_time(
    slug: str,
    title: str,
    y_title: str,
    courses: Sequence[Course],
    *,
    note: str = "",
    limit: float | None = None,
) -> Plot | None:
    """Plot up to four courses over the days, with a dashed `limit`; None where no course has a value."""
    known = [(course, [(at, value) for at, value in course.points if is_number(value)]) for course in courses]
    moments = sorted({at for _course, points in known for at, _value in points})
    if not moments:
        return None
    values = [value for _course, points in known for _at, value in points if value is not None]
    low, high = spread([*values, *([limit] if limit is not None else [])])
    x = Scale(*_days(moments), LEFT, WIDTH - RIGHT - LABEL)
    y = y_scale(min(0.0, low) if limit is not None else low, high)
    lines: list[Line] = []
    if limit is not None:
        lines.append(line([(x.low, limit), (x.high, limit)], x, y, series=0))
    for series, (_course, points) in enumerate(known, start=1):
        placed = [(at.timestamp(), float(value)) for at, value in points if value is not None]
        lines.append(line(placed, x, y, series=series, dots=True))
    return Plot(
        slug=slug,
        title=title,
        description=note,
        heads=(_("As of"), *(course.label for course in courses)),
        rows=[_row(at, courses) for at in moments],
        y_title=y_title,
        x_ticks=_dates(moments, x),
        y_ticks=axis(y),
        lines=lines,
        legend=[(series, course.label) for series, course in enumerate(courses, start=1)],
    )


def side_by_side(
    slug: str,
    title: str,
    edges: Sequence[float],
    shares: tuple[Sequence[float], Sequence[float]],
    names: tuple[str, str],
    *,
    note: str = "",
) -> Plot | None:
    """Plot two distributions over the same bins as pairs of bars, in per cent.

    Bins are drawn equally wide. With one more edge than bins the edges bound them; with one fewer, the
    outermost bins are open.
    """
    bins = len(shares[0])
    if not bins or len(shares[1]) != bins:
        return None
    highest = max(*shares[0], *shares[1]) or 1.0
    x, y = x_scale(0, bins), y_scale(0, highest * 100)
    bars = [
        _bar(x, y, index, place, share * 100)
        for place, side in enumerate(shares)
        for index, share in enumerate(side)
    ]
    first = 0 if len(edges) > bins else 1
    bounds = [(first + index, edge) for index, edge in enumerate(edges)]
    every = -(-len(bounds) // BOUNDARIES) or 1
    return Plot(
        slug=slug,
        title=title,
        description=note,
        heads=(_("Score"), *(_("%s, %%") % name for name in names)),
        rows=[
            (_bin(index, dict(bounds)), f"{shares[0][index] * 100:.1f}", f"{shares[1][index] * 100:.1f}")
            for index in range(bins)
        ],
        x_title=_("Score"),
        y_title="%",
        x_ticks=[Tick(pixels(x(at)), _short(edge)) for at, edge in bounds[::every]],
        y_ticks=axis(y),
        bars=bars,
        legend=((1, names[0]), (2, names[1])),
    )


def _days(moments: Sequence[datetime]) -> tuple[float, float]:
    first, last = moments[0].timestamp(), moments[-1].timestamp()
    return (first, last) if first < last else (first - 43_200, last + 43_200)


def _dates(moments: Sequence[datetime], x: Scale) -> list[Tick]:
    every = -(-len(moments) // DATES)
    newest_kept = moments[::-1][::every][::-1]
    day = pgettext("format of a date", "j M")
    return [Tick(pixels(x(at.timestamp())), str(date_format(local(at), day))) for at in newest_kept]


def _row(at: datetime, courses: Sequence[Course]) -> tuple[str, ...]:
    found = [dict(course.points).get(at) for course in courses]
    return (_day(at), *(number(value) if is_number(value) else "–" for value in found))


def _day(at: datetime) -> str:
    return str(date_format(local(at), "SHORT_DATE_FORMAT"))


def _bar(x: Scale, y: Scale, index: int, place: int, value: float) -> Bar:
    width = (x(1) - x(0)) * 0.42
    left = x(index) + (x(1) - x(0)) * 0.08 + place * width
    return Bar(pixels(left), pixels(y(value)), pixels(width), pixels(y(0) - y(value)), place + 1)


def _bin(index: int, bounds: dict[int, float]) -> str:
    low, high = bounds.get(index), bounds.get(index + 1)
    if low is None:
        return f"< {_short(high)}" if high is not None else "–"
    return f"{_short(low)} – {_short(high)}" if high is not None else f"≥ {_short(low)}"


def _short(value: float) -> str:
    return f"{value:.3g}"
