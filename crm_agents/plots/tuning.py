"""What a search shows: how much each setting mattered, every trial as a line, and a range test's curve."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots.bars import ROW, stacked
from crm_agents.plots.figure import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Label, Line, Plot, Tick, y_scale
from crm_agents.plots.figure import axis as ticks_of
from crm_agents.plots.scale import Scale, is_number, number, pixels, spread

MARGIN = 46  # left and right of the axes: half of a long name
PER_AXIS = 104  # pixels that a name needs


@dataclass(frozen=True)
class Dimension:
    """One axis of the parallel coordinates: a setting, or the value; `choices` is empty for a range."""

    name: str
    label: str
    log: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class TrialLine:
    """One trial: what it has on each axis, and which of the line styles it gets (best, finished, stopped)."""

    name: str
    values: Mapping[str, Any]
    state: str = "finished"


SERIES = {"best": 1, "finished": 5, "stopped": 0}


def importance(shares: Mapping[str, float]) -> Plot | None:
    """Plot each setting's share in what the trials reached, the largest first; None for no shares."""
    known = sorted(
        ((name, share) for name, share in shares.items() if is_number(share)), key=lambda pair: -pair[1]
    )
    if not known:
        return None
    bars, labels = stacked([(name.replace("_", " "), share, 1) for name, share in known])
    return Plot(
        slug="importance",
        title=_("Which settings mattered"),
        description=_("Share of each setting in the differences between the trials (fANOVA)."),
        heads=(_("Setting"), _("Share")),
        rows=[(name, number(share)) for name, share in known],
        bars=bars,
        labels=labels,
        height=ROW * len(known),
    )


def parallel_coordinates(dimensions: Sequence[Dimension], trials: Sequence[TrialLine]) -> Plot | None:
    """Plot every trial as a line across its settings, the last axis being what it reached; None below two."""
    whole = [trial for trial in trials if all(trial.values.get(each.name) is not None for each in dimensions)]
    if len(whole) < 2:
        return None
    width = max(WIDTH, 2 * MARGIN + PER_AXIS * (len(dimensions) - 1))
    across = Scale(0, max(1, len(dimensions) - 1), MARGIN, width - MARGIN)
    scales = [_Axis.of(each, [trial.values[each.name] for trial in whole]) for each in dimensions]
    places = [across(index) for index in range(len(dimensions))]
    drawn = sorted(whole, key=lambda trial: ("stopped", "finished", "best").index(trial.state))
    return Plot(
        slug="parallel",
        title=_("Trials across their settings"),
        description=_(
            "Each line is a trial; where it crosses the last axis is what it reached. Thick: the best."
        ),
        heads=(_("Trial"), *(each.label for each in dimensions)),
        rows=[(trial.name, *(_written(trial.values[each.name]) for each in dimensions)) for trial in whole],
        lines=(
            *(_upright(place) for place in places),
            *(_line(trial, dimensions, scales, places) for trial in drawn),
        ),
        labels=[
            label
            for each, scale, place in zip(dimensions, scales, places, strict=True)
            for label in scale.labels(each.label, place)
        ],
        width=width,
    )


def range_test(points: Sequence[Sequence[Any]], suggested: float | None) -> Plot | None:
    """Plot the loss against a rising learning rate, on a logarithmic axis; None for fewer than two points."""
    known = [
        (float(rate), float(loss))
        for rate, loss in points
        if is_number(rate) and is_number(loss) and rate > 0
    ]
    if len(known) < 2:
        return None
    x = Scale(math.log10(known[0][0]), math.log10(known[-1][0]), LEFT, WIDTH - RIGHT)
    low, first = min(loss for _rate, loss in known), known[0][1]
    # What lies far above the beginning has diverged, and would press all else flat.
    ceiling = first + max(first - low, 0.05 * abs(first))
    y = y_scale(*spread(min(loss, ceiling) for _rate, loss in known))
    marks = []
    if suggested:
        place = pixels(x(math.log10(suggested)))
        marks = [Line(f"{place},{TOP} {place},{HEIGHT - BOTTOM}", series=2)]
    return Plot(
        slug="range-test",
        title=_("Loss while the learning rate rises"),
        description=_("A good rate lies where the loss falls steeply. Dashed: the suggestion.")
        if suggested
        else _("The loss fell nowhere steadily, so no rate is suggested."),
        heads=(_("Learning rate"), _("Loss")),
        rows=[(f"{rate:.3g}", number(loss)) for rate, loss in known],
        x_title=_("Learning rate"),
        y_title=_("Loss"),
        x_ticks=[
            Tick(pixels(x(power)), f"{10.0**power:g}")
            for power in range(math.ceil(x.low - 1e-9), math.floor(x.high + 1e-9) + 1)
        ],
        y_ticks=ticks_of(y),
        lines=(Line(" ".join(f"{pixels(x(math.log10(a)))},{pixels(y(b))}" for a, b in known)), *marks),
    )


@dataclass(frozen=True)
class _Axis:
    dimension: Dimension
    scale: Scale

    @classmethod
    def of(cls, dimension: Dimension, values: Sequence[Any]) -> "_Axis":
        if dimension.choices:
            low, high = spread(range(len(dimension.choices)))
        else:
            low, high = spread(_position(dimension, value) for value in values)
        return cls(dimension, y_scale(low, high))

    def at(self, value: Any) -> float:
        return self.scale(_position(self.dimension, value))

    def labels(self, name: str, place: float) -> list[Label]:
        """The axis's name under it, and its ends or choices beside it."""
        x = pixels(place)
        named = [Label(x, pixels(HEIGHT - BOTTOM + 34), name, "middle")]
        if self.dimension.choices:
            ends = [(value, self.at(value)) for value in self.dimension.choices]
        else:
            power = self.dimension.log
            known = (self.scale.low, self.scale.high)
            ends = [(f"{10**end if power else end:.3g}", self.scale(end)) for end in known]
        beside = pixels(place + 5)
        return named + [Label(beside, pixels(y + 4), str(text)) for text, y in ends]


def _position(dimension: Dimension, value: Any) -> float:
    if dimension.choices:
        return float(dimension.choices.index(value)) if value in dimension.choices else 0.0
    return math.log10(value) if dimension.log and value > 0 else float(value)


def _upright(place: float) -> Line:
    return Line(f"{pixels(place)},{TOP} {pixels(place)},{HEIGHT - BOTTOM}", series=6)


def _line(
    trial: TrialLine, dimensions: Sequence[Dimension], scales: Sequence[_Axis], places: Sequence[float]
) -> Line:
    points = [
        (pixels(place), pixels(scale.at(trial.values[each.name])))
        for each, scale, place in zip(dimensions, scales, places, strict=True)
    ]
    dots = tuple(points) if trial.state == "best" else ()
    return Line(" ".join(f"{x},{y}" for x, y in points), SERIES[trial.state], dots)


def _written(value: Any) -> str:
    return number(value) if is_number(value) else str(value)
