"""Whether the data can support an agent at all, and what is missing if not."""

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from neural.windows import Windows


def require_enough(config: TrainingConfig, dataset: Dataset, windows: Windows) -> None:
    """Raise NotEnoughData with one sentence for each unmet requirement."""
    outcome = pl.col("kind").is_in(list(config.outcome_kinds))
    facts = (
        dataset.events()
        .filter(outcome)
        .select(
            pl.len().alias("purchases"),
            pl.col("customer").n_unique().alias("customers"),
            (pl.col("at").max() - pl.col("at").min()).dt.total_days().fill_null(0).alias("days"),
        )
    )
    purchases, customers, days = facts.collect().row(0)
    minimum = config.minimum
    least_days = max(minimum.days, 2 * config.horizon_days + 30)
    missing = []
    if customers < minimum.customers:
        missing.append(
            f"{_count(customers, 'customer')} with purchases, at least {minimum.customers} are needed."
        )
    if purchases < minimum.purchases:
        missing.append(f"{_count(purchases, 'purchase')}, at least {minimum.purchases} are needed.")
    if days < least_days:
        missing.append(f"{_count(days, 'day')} of purchase history, at least {least_days} are needed.")
    if not missing and windows.validation - windows.start < config.horizon_days / 2:
        early = max(0, int(windows.validation - windows.start))
        missing.append(f"{_count(early, 'day')} of history before the validation window are too few.")
    if missing:
        raise NotEnoughData(missing)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
