"""Values with their intervals, one under the other: where a version is weak, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from crm_agents.plots.figure import WIDTH, Label, Line, Plot, Text, Tick
from crm_agents.plots.scale import Scale, number, pixels, spread, ticks

ROW = 34
MARGIN = 12
FOOT = 30  # for the ticks


@dataclass(frozen=True)
class Range:
    """A named value and where it lies; `weak` ones stand out."""

    name: str
    value: float
    low: float
    high: float
    weak: bool = False


def ranges(
    slug: str,
    title: Text,
    found: Sequence[Range],
    *,
    overall: float | None,
    note: Text = "",
    head: Text = "",
) -> Plot | None:
    """Plot each value as a dot on its interval, over a line at `overall`; None without any."""
    if not found:
        return None
    ends = [end for each in found for end in (each.low, each.high)] + (
        [overall] if overall is not None else []
    )
    low, high = spread(ends)
    scale = Scale(low, high, MARGIN, WIDTH - MARGIN)
    bottom = ROW * len(found)
    lines = [_line([(each.low, row), (each.high, row)], scale, each) for row, each in enumerate(found)]
    if overall is not None:
        at = pixels(scale(overall))
        lines.insert(0, Line(f"{at},0 {at},{bottom}", series=0))
    return Plot(
        slug=slug,
        title=title,
        description=note,
        heads=(head or _("Slice"), _("Value"), _("from"), _("to")),
        rows=[(each.name, number(each.value), number(each.low), number(each.high)) for each in found],
        lines=lines,
        labels=[Label("0", pixels(row * ROW + 12), each.name) for row, each in enumerate(found)],
        x_ticks=[Tick(pixels(scale(at)), number(at)) for at in ticks(low, high)],
        height=bottom + FOOT,
        grid={**GRID, "bottom": str(bottom)},
    )


GRID = {"left": "0", "right": str(WIDTH), "top": "0", "middle": pixels(WIDTH / 2), "centre": "0"}


def _line(points: Sequence[tuple[float, int]], scale: Scale, each: Range) -> Line:
    placed = [(pixels(scale(value)), pixels(row * ROW + 23)) for value, row in points]
    dot = (pixels(scale(each.value)), placed[0][1])
    return Line(" ".join(f"{x},{y}" for x, y in placed), 2 if each.weak else 1, (dot,))
