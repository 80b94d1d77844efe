"""Whether the data can support an agent at all, and what is missing if not."""

import math

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.inspection import Need
from neural.windows import Windows


def require_enough(config: TrainingConfig, dataset: Dataset, windows: Windows) -> None:
    """Raise NotEnoughData with one fact for each unmet requirement."""
    unmet = [need for need in measured(config, dataset, windows) if not need.met]
    # Of a history that is too short as a whole its beginning is too short as well: that says nothing new.
    told = [need for need in unmet if need.code != "early_days"] or unmet
    if told:
        raise NotEnoughData([{"code": need.code, "have": need.have, "need": need.need} for need in told])


def measured(config: TrainingConfig, dataset: Dataset, windows: Windows | None) -> list[Need]:
    """Return every minimum beside what there is; without windows there is no event at all."""
    minimum = config.minimum
    customers, purchases, days = _history(config, dataset)
    early = windows.validation - windows.start if windows else 0
    return [
        Need("customers", customers, minimum.customers),
        Need("purchases", purchases, minimum.purchases),
        Need("days", days, config.needed_days),
        Need("early_days", max(0, math.floor(early)), math.ceil(config.horizon_days / 2)),
    ]


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
