"""How sure the figures of a window are: intervals of each metric, and of the lead over each baseline."""

from typing import Any

import polars as pl

from handoff.predictions import measure, methods
from handoff.resampling import LEVEL, RESAMPLES, Interval, Resampled, resample

DIGITS = 6


def intervals(examples: pl.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """The content of "intervals" in `evaluation.json`; {} without examples.

    "methods" has [low, high] of each metric of model and baselines. "differences" has [difference, low,
    high] of model less baseline, both measured on the same draws of customers.
    """
    if examples.is_empty():
        return {}
    asked = {method: measure(examples, method) for method in methods(examples)}
    customers = examples["customer"]
    drawn = resample(asked, customers.to_numpy(), resamples=resamples, seed=seed)
    model = drawn.pop("model")
    return {
        "level": LEVEL,
        "resamples": resamples,
        "customers": customers.n_unique(),
        "methods": {
            name: {metric: _bounds(each.interval(metric)) for metric in each.names}
            for name, each in {"model": model, **drawn}.items()
        },
        "differences": {name: _ahead(model, each) for name, each in drawn.items()},
    }


def _ahead(model: Resampled, baseline: Resampled) -> dict[str, list[float | None]]:
    shared = [name for name in model.names if name in baseline.names]
    found = {name: model.difference(baseline, name) for name in shared}
    return {name: [_short(each.value), *_bounds(each)] for name, each in found.items()}


def _bounds(found: Interval) -> list[float | None]:
    return [_short(found.low), _short(found.high)]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
