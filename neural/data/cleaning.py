"""Cleaning: what is done to events before a model sees them, the same in training and in scoring.

Limits are learnt from what lies before the end of training and travel in the artifact.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from handoff.config import Cleaning
from handoff.dataset import Dataset
from neural.windows import EPOCH

CLIPPED = ("quantity", "amount")


@dataclass(frozen=True)
class Limits:
    """The largest absolute value of a line's number that a model sees; None for any."""

    quantity: float | None = None
    amount: float | None = None

    def clip(self, name: str, value: pl.Expr) -> pl.Expr:
        limit: float | None = getattr(self, name)
        return value if limit is None else value.clip(-limit, limit)


def cleaned(dataset: Dataset, cleaning: Cleaning, shard: int | None = None) -> pl.LazyFrame:
    """Scan the events, without repeated lines if that is asked for. Order is not kept."""
    events = dataset.events(shard)
    return events.unique() if cleaning.duplicates == "drop" else events


def fit_limits(dataset: Dataset, cleaning: Cleaning, *, end: float) -> Limits:
    """Learn the limits from the events before `end` (days since 1970)."""
    if cleaning.outliers != "clip":
        return Limits()
    parts = list(_early_numbers(dataset, cleaning, end))
    found: dict[str, float | None] = {}
    for name in CLIPPED:
        values = np.concatenate([np.zeros(0), *(part[name].drop_nulls().to_numpy() for part in parts)])
        values = np.abs(values[np.isfinite(values)])
        # A value that occurs, and not one between two: then equal prices keep theirs to the cent.
        found[name] = float(np.quantile(values, cleaning.quantile, method="higher")) if len(values) else None
    return Limits(**found)


def _early_numbers(dataset: Dataset, cleaning: Cleaning, end: float) -> Iterator[pl.DataFrame]:
    """A shard at a time: repeated lines are of one customer, and so of one shard."""
    for shard in range(dataset.manifest.shards):
        early = cleaned(dataset, cleaning, shard).filter(pl.col("at") < EPOCH + timedelta(days=end))
        yield early.select(CLIPPED).collect()
