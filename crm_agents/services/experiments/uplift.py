"""How far two arms of an experiment lie apart, and how sure that is. Arrays in, plain figures out.

The difference of the means has Welch's standard error; its relative size has one by the delta method.
Spending before the start explains part of the spending after it: with theta = cov(y, x) / var(x),
y - theta (x - mean x) has the same difference of the arms and less variance (Deng, Xu, Kohavi and Walker
2013, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data"). Money
is skewed, so its interval is a bootstrap percentile where that takes seconds only.
"""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from handoff.resampling import LEVEL, RESAMPLES, draws, interval

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
POWER = 0.8
FEWEST = 30  # customers of an arm, of whom a difference is told at all
FEWEST_EVENTS = 5  # of them who did anything
MOST_RESAMPLED = 100_000  # customers; of more, a mean is as good as normal
MISMATCH = 0.001  # a split by the share that is less likely than this is wrong, and not bad luck


@dataclass(frozen=True)
class Figure:
    """One outcome of both arms. The difference is the second arm's mean less the first one's.

    `low` and `high` bound it at LEVEL; None where there is too little to tell. `detectable` is the relative
    difference that would be seen in POWER of all such experiments. `explained` is the share of the variance
    that the time before the start explains.
    """

    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    relative: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    detectable: float | None = None
    explained: float = 0.0
    method: str = ""  # "normal" | "bootstrap"

    def as_json(self) -> dict[str, Any]:
        return {name: _finite(value) for name, value in asdict(self).items()}


def figure(values: Floats, second: Mask, before: Floats | None = None, *, skewed: bool = False) -> Figure:
    """Compare the arms. values (N,) by customer, second (N,) marks the second arm, before (N,) likewise."""
    plain = _means(values, second)
    if min(second.sum(), (~second).sum()) < FEWEST or _events(values, second) < FEWEST_EVENTS:
        return Figure(*plain)
    adjusted, explained = _adjusted(values, before)
    first_mean, second_mean = float(adjusted[~second].mean()), float(adjusted[second].mean())
    first_error, second_error = _error(adjusted[~second]), _error(adjusted[second])
    error = math.hypot(first_error, second_error)
    difference = second_mean - first_mean
    low: float | None = difference - Z * error
    high: float | None = difference + Z * error
    relative, bounds = _ratio(first_mean, second_mean, first_error, second_error)
    method = "normal"
    if skewed and len(values) <= MOST_RESAMPLED:
        low, high, bounds = _resampled(adjusted, second, difference, relative)
        method = "bootstrap"
    detectable = (Z + NormalDist().inv_cdf(POWER)) * error / first_mean if first_mean > 0 else None
    return Figure(
        *plain, difference, low, high, relative, *bounds, detectable, explained=explained, method=method
    )


def detectable_before(before: Floats, second: Mask) -> float | None:
    """Return the relative difference that these arms would show, going by the time before the start."""
    if min(second.sum(), (~second).sum()) < FEWEST or before.mean() <= 0:
        return None
    error = math.hypot(_error(before[~second]), _error(before[second]))
    return (Z + NormalDist().inv_cdf(POWER)) * error / float(before.mean())


def split_chance(customers: int, in_second: int, share: float) -> float:
    """Return how likely a split as uneven as this is, by chi square with one degree of freedom."""
    if not customers:
        return 1.0
    expected = customers * share
    square = (in_second - expected) ** 2 / expected + (in_second - expected) ** 2 / (customers - expected)
    return math.erfc(math.sqrt(square / 2))


def _means(values: Floats, second: Mask) -> tuple[float | None, float | None]:
    return tuple(float(values[arm].mean()) if arm.any() else None for arm in (~second, second))  # type: ignore[return-value]


def _events(values: Floats, second: Mask) -> int:
    return int(min(np.count_nonzero(values[~second]), np.count_nonzero(values[second])))


def _error(values: Floats) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _adjusted(values: Floats, before: Floats | None) -> tuple[Floats, float]:
    if before is None or before.std() == 0 or values.std() == 0:
        return values, 0.0
    centred = before - before.mean()
    theta = float(centred @ (values - values.mean())) / float(centred @ centred)
    adjusted = values - theta * centred
    return adjusted, max(0.0, 1.0 - float(adjusted.var()) / float(values.var()))


def _ratio(
    first: float, second: float, first_error: float, second_error: float
) -> tuple[float | None, tuple[float | None, float | None]]:
    if first <= 0:
        return None, (None, None)
    relative = second / first - 1
    error = math.hypot(second_error, second / first * first_error) / first
    return relative, (relative - Z * error, relative + Z * error)


def _resampled(
    values: Floats, second: Mask, difference: float, relative: float | None
) -> tuple[float | None, float | None, tuple[float | None, float | None]]:
    """Return the bounds of the difference and of its relative size over the draws of all customers."""
    drawn = []
    weighted = np.stack([values * ~second, values * second, ~second, second], axis=1).astype(np.float64)
    for weights in draws(np.arange(len(values)), RESAMPLES, seed=0):
        sums = weights @ weighted
        drawn.append(sums[:, :2] / sums[:, 2:])
    means = np.concatenate(drawn)
    found = interval(difference, means[:, 1] - means[:, 0])
    if relative is None:
        return found.low, found.high, (None, None)
    ratios = interval(relative, np.where(means[:, 0] > 0, means[:, 1] / means[:, 0] - 1, np.nan))
    return found.low, found.high, (ratios.low, ratios.high)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
