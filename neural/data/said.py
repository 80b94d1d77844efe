"""What people said of customers and products, beside what the events tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.dataset import Dataset
from neural.data.history import Bools, Floats, Ints, expand
from neural.data.vocabulary import Vocabulary
from neural.windows import to_days

if TYPE_CHECKING:
    from neural.data.world import Queries

Words = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Said:
    """L rows in the order in which they were said: of two about the same, the later counts."""

    subject: Words  # (L,) "customer", "item", …
    name: Words  # (L,) of the customer
    customer: Ints  # (L,) index into the history's customers, -1 for one without a history
    product: Ints  # (L,) index into the vocabulary's products, -1 for none
    label: Words  # (L,)
    at: Floats  # (L,) days since 1970: the moment that it speaks of
    said_at: Floats  # (L,)

    def __len__(self) -> int:
        return len(self.at)

    def where(self, chosen: Bools) -> Self:
        return type(self)(**{name: values[chosen] for name, values in vars(self).items()})

    def within(self, queries: Queries, horizon: float, until: float) -> tuple[Ints, Ints]:
        """Match rows with the queries of the same customer whose outcome window holds them.

        Only windows that end by `until` count: a label must not tell of what comes later. Returns (row,
        query) of each match, rows ascending. `queries` must be sorted by customer.
        """
        first = np.searchsorted(queries.customer, self.customer, side="left")
        last = np.searchsorted(queries.customer, self.customer, side="right")
        row, query = expand(first, last)
        time, at = queries.time[query], self.at[row]
        inside = (time <= at) & (at < time + horizon) & (time + horizon <= until)
        return row[inside], query[inside]


def read_said(dataset: Dataset, agent: str, customers: list[str], vocabulary: Vocabulary) -> Said:
    """Read what was said for one agent."""
    rows = (
        dataset.labels()
        .filter(pl.col("agent") == agent)
        .sort("said_at", "subject", "customer", "key", "at", "label")
        .with_columns(vocabulary.product_index(pl.col("key")).alias("product"))
        .collect()
    )
    numbers = {name: number for number, name in enumerate(customers)}
    return Said(
        subject=_words(rows["subject"]),
        name=_words(rows["customer"]),
        customer=np.asarray([numbers.get(name, -1) for name in rows["customer"]], np.int64),
        product=rows["product"].to_numpy().astype(np.int64),
        label=_words(rows["label"]),
        at=_days(rows["at"]),
        said_at=_days(rows["said_at"]),
    )


def _words(column: pl.Series) -> Words:
    return np.asarray(column.to_list(), dtype=object)


def _days(column: pl.Series) -> Floats:
    return np.asarray([to_days(time) for time in column], np.float64)
