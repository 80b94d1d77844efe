"""Whether the data can support an agent at all, and what is missing if not."""

import math

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.missing import Missing
from neural.windows import Windows


def require_enough(config: TrainingConfig, dataset: Dataset, windows: Windows) -> None:
    """Raise NotEnoughData with one fact for each unmet requirement."""
    minimum = config.minimum
    customers, purchases, days = _history(config, dataset)
    missing = [
        *_short("customers", customers, minimum.customers),
        *_short("purchases", purchases, minimum.purchases),
        *_short("days", days, config.needed_days),
    ]
    early = windows.validation - windows.start
    if not missing:
        missing = _short("early_days", max(0, math.floor(early)), math.ceil(config.horizon_days / 2))
    if missing:
        raise NotEnoughData(missing)


def _history(config: TrainingConfig, dataset: Dataset) -> tuple[int, int, int]:
    """Count customers with an event of the outcome, those events, and the days that they span."""
    outcome = pl.col("kind").is_in(list(config.outcome_kinds))
    facts = (
        dataset.events()
        .filter(outcome)
        .select(
            pl.col("customer").n_unique().alias("customers"),
            pl.len().alias("purchases"),
            (pl.col("at").max() - pl.col("at").min()).dt.total_days().fill_null(0).alias("days"),
        )
    )
    customers, purchases, days = facts.collect().row(0)
    return customers, purchases, days


def _short(code: str, have: int, need: int) -> list[Missing]:
    return [{"code": code, "have": have, "need": need}] if have < need else []
