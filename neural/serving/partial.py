"""The world of one customer as things stand now, before everybody's as it was read once."""

from dataclasses import replace

import polars as pl

from handoff.dataset import Dataset
from handoff.serving import Known
from neural.data.world import World, scoring_world

MONTH = 30.0  # days before the moment at which churn asks too, see `neural.scoring`


class OneCustomer(Dataset):
    """A dataset whose events, customers and labels are one customer's, given in memory."""

    def __init__(self, everybody: Dataset, known: Known) -> None:
        super().__init__(everybody.folder, everybody.manifest)
        self.known = known

    def events(self, shard: int | None = None) -> pl.LazyFrame:
        return self.known.events.lazy()

    def customers(self, shard: int | None = None) -> pl.LazyFrame:
        return self.known.people.lazy()

    def labels(self) -> pl.LazyFrame:
        return self.known.labels.lazy()


def world_of_one(crowd: World, everybody: Dataset, known: Known, moment: float) -> World:
    """Read one customer's rows up to `moment` (days since 1970) by the very code that reads a dataset.

    What everybody does is asked of `crowd`, and so is which products there are.
    """
    rows = OneCustomer(everybody, known)
    cuts = (moment - MONTH, moment)
    part = scoring_world(
        crowd.config, rows, crowd.vocabulary, crowd.scale, crowd.limits, cuts=cuts, crowd=crowd
    )
    return replace(part, start=crowd.start, cuts=crowd.cuts)
