"""Metrics of forecasts: N series over H steps, and quantiles of them.

MASE scales the error by that of the naive forecast in the training history (Hyndman and Koehler 2006). The
weighted quantile loss is twice the pinball loss over the sum of what was observed (Salinas et al. 2020). A
metric that the data cannot define is None.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats

Array = npt.NDArray[Any]


def mase(actual: Array, forecast: Array, history: Sequence[Array], season: int = 1) -> float | None:
    """Mean over the series of the mean absolute error, each over its own naive error one season back.

    actual and forecast (N, H); history is each series' training values, (T_n,). A series too short for a
    season, or which never changed, has no scale and is left out.
    """
    naive = naive_errors(history, season)
    known = np.isfinite(naive) & (naive > 0)
    if not known.any():
        return None
    error = np.abs(actual - forecast)[known].mean(axis=1)
    return float((error / naive[known]).mean())


def naive_errors(history: Sequence[Array], season: int = 1) -> Floats:
    """Mean absolute difference of values a season apart; NaN for a series too short. (N,)"""
    found = [np.abs(np.subtract(values[season:], values[:-season], dtype=np.float64)) for values in history]
    return np.array([each.mean() if len(each) else np.nan for each in found])


def wape(actual: Array, forecast: Array) -> float | None:
    """Sum of absolute errors over the sum of what was observed; None where nothing was."""
    total = float(np.abs(actual).sum())
    return float(np.abs(actual - forecast).sum()) / total if total > 0 else None


def bias(actual: Array, forecast: Array) -> float | None:
    """How much is forecast too high, as a share of what was observed; negative where too low."""
    total = float(np.abs(actual).sum())
    return float((forecast - actual).sum()) / total if total > 0 else None


def pinball(actual: Array, quantiles: Array, levels: Sequence[float]) -> Floats:
    """Pinball loss at each level, its mean over series and steps. (N, H), (N, H, Q) -> (Q,)"""
    over = quantiles - actual[..., None]
    level = np.asarray(levels)
    return np.asarray(np.maximum(-level * over, (1 - level) * over).mean(axis=(0, 1)))


def weighted_quantile_loss(actual: Array, quantiles: Array, levels: Sequence[float]) -> float | None:
    """Mean over the levels of twice the summed pinball loss, over the sum of what was observed."""
    total = float(np.abs(actual).sum())
    if total <= 0:
        return None
    return float(2 * pinball(actual, quantiles, levels).mean() * actual.size / total)


def interval_coverage(actual: Array, low: Array, high: Array) -> float | None:
    """Share of the observations within their intervals, bounds included; an 80 % interval should hold 0.8."""
    return float(((low <= actual) & (actual <= high)).mean()) if actual.size else None


def interval_width(actual: Array, low: Array, high: Array) -> float | None:
    """Mean width of the intervals over the mean of what was observed."""
    total = float(np.abs(actual).sum())
    return float((high - low).sum()) / total if total > 0 else None


def forecast_metrics(
    actual: Array,
    forecast: Array,
    history: Sequence[Array],
    *,
    quantiles: Array | None = None,
    levels: Sequence[float] = (),
    season: int = 1,
) -> dict[str, float | None]:
    """Every metric of one window. With quantiles also their loss, and the coverage of the outermost two.

    actual and forecast (N, H); quantiles (N, H, Q) at `levels`, which ascend. The interval's level is in the
    name of its metrics, in per cent: "interval_coverage@80" for levels from 0.1 to 0.9.
    """
    found = {
        "mase": mase(actual, forecast, history, season),
        "wape": wape(actual, forecast),
        "bias": bias(actual, forecast),
    }
    if quantiles is None or not len(levels):
        return found
    found["wql"] = weighted_quantile_loss(actual, quantiles, levels)
    found["pinball"] = float(pinball(actual, quantiles, levels).mean()) if actual.size else None
    inner = round(100 * (levels[-1] - levels[0]))
    if inner > 0:
        low, high = quantiles[..., 0], quantiles[..., -1]
        found[f"interval_coverage@{inner}"] = interval_coverage(actual, low, high)
        found[f"interval_width@{inner}"] = interval_width(actual, low, high)
    return found
