"""Plots of recommendations: by length of the list, customer by customer, and how popular they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots.figure import Bar, Plot, Tick, axis, line, x_scale, y_scale
from crm_agents.plots.scale import is_number, number, pixels

SERIES = 4  # lines that the stylesheet tells apart

Points = list[tuple[float, float]]


def by_length(slug: str, title: str, curves: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> Plot | None:
    """Plot a metric for lists of growing length, a line a method; None without the model."""
    known = [(name, _pairs(points)) for name, points in curves if points][:SERIES]
    if not known or not curves[0][1]:
        return None
    lengths = [length for length, _value in known[0][1]]
    highest = max(value for _name, points in known for _length, value in points)
    x, y = x_scale(0, max(lengths)), y_scale(0, highest if highest > 0 else 1)
    found = [dict(points) for _name, points in known]
    return Plot(
        slug=slug,
        title=title,
        description=_("The longer the list, the more of what is bought can be on it."),
        heads=(_("Length of the list"), *(name for name, _points in known)),
        rows=[
            (number(length), *(number(each[length]) if length in each else "–" for each in found))
            for length in lengths
        ],
        x_title=_("Length of the list"),
        y_title=title,
        x_ticks=axis(x, whole=True),
        y_ticks=axis(y),
        lines=[
            line(points, x, y, series=row + 1, dots=row == 0) for row, (_name, points) in enumerate(known)
        ],
        legend=[(row + 1, name) for row, (name, _points) in enumerate(known)],
    )


def by_customer(bins: Sequence[Mapping[str, Any]], label: str) -> Plot | None:
    """Plot how many customers got which value of a metric; None without any."""
    if not any(each.get("count") for each in bins):
        return None
    x = x_scale(bins[0]["from"], bins[-1]["to"])
    y = y_scale(0, max(each["count"] for each in bins))
    bars = []
    for each in bins:
        left, right, top = x(each["from"]), x(each["to"]), y(each["count"])
        bars.append(Bar(pixels(left + 0.5), pixels(top), pixels(right - left - 1), pixels(y(0) - top)))
    return Plot(
        slug="by-customer",
        title=_("%(metric)s, customer by customer") % {"metric": label},
        description=_("How many customers of the test window the list served how well."),
        heads=(_("From"), _("to"), _("Customers")),
        rows=[(number(each["from"]), number(each["to"]), str(each["count"])) for each in bins],
        x_title=label,
        y_title=_("Customers"),
        x_ticks=axis(x),
        y_ticks=axis(y, whole=True),
        bars=bars,
    )


def popularity(parts: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot how much of what is listed, and of what was bought, are best-sellers; None where not told."""
    known = [
        each for each in parts if all(is_number(each.get(name)) for name in ("upto", "listed", "bought"))
    ]
    if not known:
        return None
    x, y = x_scale(0, len(known)), y_scale(0, 1)
    bars, marks, below = [], [], 0.0
    rows = []
    for place, each in enumerate(known):
        name = _("%(low)s–%(high)s %%") % {"low": number(100 * below), "high": number(100 * each["upto"])}
        below = each["upto"]
        rows.append((name, number(each["listed"]), number(each["bought"])))
        for offset, part, series in ((0.12, "listed", 1), (0.5, "bought", 2)):
            left, top = x(place + offset), y(each[part])
            width = x(place + offset + 0.38) - left
            bars.append(Bar(pixels(left), pixels(top), pixels(width), pixels(y(0) - top), series))
        marks.append(Tick(pixels(x(place + 0.5)), name))
    return Plot(
        slug="popularity",
        title=_("How popular what is listed is"),
        description=_("Products by their number of buyers, the most popular first; both colours sum to 1."),
        heads=(_("Products"), _("Share of what is listed"), _("Share of what was bought")),
        rows=rows,
        x_title=_("Part of the catalogue"),
        y_title=_("Share"),
        x_ticks=marks,
        y_ticks=axis(y),
        bars=bars,
        legend=((1, _("Share of what is listed")), (2, _("Share of what was bought"))),
    )


def _pairs(points: Sequence[Sequence[float]]) -> Points:
    return [(float(a), float(b)) for a, b in points if is_number(a) and is_number(b)]
