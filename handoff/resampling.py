"""Bootstrap: how far a metric, or the difference of two, might lie elsewhere with other customers.

Customers are drawn with replacement, each with all its rows: rows of one customer are not independent. Both
sides of a difference are measured on the same draws. Intervals are percentiles (Efron and Tibshirani 1993,
chapter 13).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handoff.measures import Floats, Measure, Weights

RESAMPLES = 1_000
LEVEL = 0.95
SEED = 0
AT_ONCE = 2_000_000  # weights held in memory
DEFINED = 0.5  # share of the resamples that must define a metric for it to have an interval


@dataclass(frozen=True)
class Interval:
    """Where a value lies in LEVEL of the resamples. All None where too few define it."""

    value: float | None  # of the rows as they are
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Resampled:
    """One measure's metrics: of the rows as they are (M,), and of every resample (B, M)."""

    names: tuple[str, ...]
    plain: Floats
    drawn: Floats

    def interval(self, name: str) -> Interval:
        place = self.names.index(name)
        return interval(self.plain[place], self.drawn[:, place])

    def difference(self, other: "Resampled", name: str) -> Interval:
        """How much higher this one's metric is than the other's."""
        mine, theirs = self.names.index(name), other.names.index(name)
        return interval(self.plain[mine] - other.plain[theirs], self.drawn[:, mine] - other.drawn[:, theirs])


def interval(value: float, drawn: Floats) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value):
        return Interval(None, None, None)
    if len(known) < DEFINED * len(drawn) or not len(known):
        return Interval(float(value), None, None)
    low, high = np.percentile(known, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(value), float(low), float(high))


def resample(
    measures: Mapping[str, Measure],
    customers: npt.NDArray[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Resampled]:
    """Ask every measure about the same draws. `customers` (R,) names each row's customer."""
    drawn: dict[str, list[Floats]] = {name: [] for name in measures}
    for weights in draws(customers, resamples, seed):
        for name, measure in measures.items():
            drawn[name].append(measure(weights))
    once = np.ones((1, len(customers)), np.float32)
    return {
        name: Resampled(
            measure.names,
            measure(once)[0],
            np.concatenate(drawn[name]) if drawn[name] else np.zeros((0, len(measure.names))),
        )
        for name, measure in measures.items()
    }


def draws(customers: npt.NDArray[Any], resamples: int, seed: int) -> Iterator[Weights]:
    """Yield how often each row is drawn, (B, R) for some resamples at a time; a seed fixes all."""
    if not len(customers):
        return
    names, owner = np.unique(customers, return_inverse=True)
    number, single = len(names), len(names) == len(customers)
    rng = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // len(customers))
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        chosen = rng.integers(0, number, (size, number), dtype=np.int32)
        chosen += (np.arange(size, dtype=np.int32) * number)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=size * number).reshape(size, number)
        weights = counts.astype(np.float32)
        yield weights if single and np.array_equal(owner, np.arange(number)) else weights[:, owner]
