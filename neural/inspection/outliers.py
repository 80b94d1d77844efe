"""Outliers of amounts and quantities: beyond three times the interquartile range on the logarithm.

Values are counted in narrow bins of the logarithm, so that any number of rows needs the same memory.
Fences are those of Tukey's "far out" values (*Exploratory Data Analysis*, 1977).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handoff.inspection import Finding, Outliers

if TYPE_CHECKING:
    from neural.inspection.events import Seen

Floats = npt.NDArray[np.float64]

LOW, HIGH, WIDTH = -14.0, 30.0, 0.02  # natural logarithms of 1e-6 and 1e13
EDGES = np.round(np.arange(LOW, HIGH + WIDTH / 2, WIDTH), 6)
FAR_OUT = 3.0
NARROWEST = 0.25  # an interquartile range below it is taken for this: prices may all be the same
WORST = 5
GROSS = 10.0  # times the fence
MANY = 0.01


@dataclass
class Spread:
    """Counts of |value| on a logarithmic axis, and the most extreme values."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(EDGES) + 1, np.int64))
    largest: Floats = field(default_factory=lambda: np.zeros(0))  # by absolute value
    smallest: Floats = field(default_factory=lambda: np.zeros(0))

    def add(self, values: Floats) -> None:
        values = values[values != 0]
        place = np.searchsorted(EDGES, np.log(np.abs(values)), side="right")
        self.counts += np.bincount(place, minlength=len(self.counts))
        self.largest = _extreme(np.concatenate([self.largest, values]), -1)
        self.smallest = _extreme(np.concatenate([self.smallest, values]), 1)

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    def fences(self) -> tuple[float, float]:
        """Logarithms below and above which a value is far out, on edges of bins."""
        total = np.cumsum(self.counts)
        low, high = (int(np.searchsorted(total, share * total[-1])) for share in (0.25, 0.75))
        first, third = EDGES[max(low - 1, 0)], EDGES[min(high, len(EDGES) - 1)]
        reach = FAR_OUT * max(third - first, NARROWEST)
        bottom = int(np.searchsorted(EDGES, first - reach))
        top = min(int(np.searchsorted(EDGES, third + reach)), len(EDGES) - 1)
        return float(EDGES[bottom]), float(EDGES[top])


def _extreme(values: Floats, sign: int) -> Floats:
    kept: Floats = np.unique(values)
    return kept[np.argsort(sign * np.abs(kept), kind="stable")[:WORST]]


def found(seen: Seen) -> tuple[Outliers, ...]:
    return tuple(_outliers(f"events.{name}", spread) for name, spread in seen.spread.items() if spread.rows)


def _outliers(name: str, spread: Spread) -> Outliers:
    low, high = spread.fences()
    below = int(spread.counts[: int(np.searchsorted(EDGES, low)) + 1].sum())
    above = int(spread.counts[int(np.searchsorted(EDGES, high)) + 1 :].sum())
    far = [value for value in spread.largest if np.log(abs(value)) >= high]
    near = [value for value in spread.smallest if np.log(abs(value)) < low]
    middle = (low + high) / 2
    worst = sorted({*far, *near}, key=lambda value: -abs(np.log(abs(value)) - middle))[:WORST]
    fences = float(np.exp(low)), float(np.exp(high))
    return Outliers(name, spread.rows, below + above, *fences, tuple(float(value) for value in worst))


def findings(seen: Seen) -> list[Finding]:
    return [_finding(one) for one in found(seen) if one.count]


def _finding(one: Outliers) -> Finding:
    share = one.count / one.rows
    gross = any(abs(value) > GROSS * one.high for value in one.worst)
    facts = {
        "count": one.count,
        "rows": one.rows,
        "share": share,
        "low": one.low,
        "high": one.high,
        "worst": list(one.worst),
    }
    return Finding("outliers", "warn" if gross or share >= MANY else "info", one.field, facts)
