"""Histories: every customer's visits in time order, as flat arrays.

A *visit* is what one customer did under one basket (invoice, order) in one kind of event on one day;
without a basket, what happened at the same moment. Order inside a visit means nothing, so its products
are a set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.config import Cleaning
from handoff.dataset import Dataset
from neural.data.cleaning import Limits, cleaned
from neural.data.vocabulary import Vocabulary
from neural.windows import EPOCH

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Floats32 = npt.NDArray[np.float32]

MILLISECONDS = 86_400_000  # in a day: the resolution of time here
KEEP, ANY = Cleaning(), Limits()
LARGEST = 1e12  # amount or quantity of a line: beside it a running sum still keeps the cents


def expand(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """Lay ranges end to end: return (which range, which element) of every element of start:stop.

    >>> expand(np.array([0, 5]), np.array([2, 8]))
    (array([0, 0, 1, 1, 1]), array([0, 1, 5, 6, 7]))
    """
    sizes = np.maximum(stops - starts, 0)
    owner = np.repeat(np.arange(len(starts)), sizes)
    first = np.cumsum(sizes) - sizes
    return owner, np.arange(len(owner)) - first[owner] + starts[owner]


@dataclass(frozen=True)
class History:
    """N customers, V visits, L lines (one line for each different product of a visit).

    Visits are sorted by customer, then time; lines by visit, then product.
    """

    customers: list[str]  # N names, sorted
    visit_customer: Ints  # (V,)
    visit_time: Floats  # (V,) days since 1970: the visit's last moment
    visit_kind: Ints  # (V,) index into the vocabulary's kinds, 0 for an unknown one
    visit_outcome: Bools  # (V,) of a kind that counts as outcome
    visit_quantity: Floats  # (V,)
    visit_amount: Floats  # (V,)
    line_visit: Ints  # (L,)
    line_product: Ints  # (L,) index into the vocabulary's products
    line_quantity: Floats32  # (L,) pieces
    line_amount: Floats32  # (L,) paid for all of them

    @cached_property
    def visit_start(self) -> Ints:
        """(N + 1,) customer i owns visits visit_start[i]:visit_start[i + 1]."""
        return np.searchsorted(self.visit_customer, np.arange(len(self.customers) + 1))

    @cached_property
    def line_start(self) -> Ints:
        """(V + 1,) visit v owns lines line_start[v]:line_start[v + 1]."""
        return np.searchsorted(self.line_visit, np.arange(len(self.visit_time) + 1))

    @cached_property
    def outcomes(self) -> Ints:
        """Indices of the visits that count as outcome."""
        return np.flatnonzero(self.visit_outcome)

    def before(self, customer: Ints, time: Floats) -> Ints:
        """One past each query's last visit strictly before `time`. (Q,)"""
        return np.searchsorted(self._visit_keys, _keys(customer, time))

    def outcomes_before(self, customer: Ints, time: Floats) -> Ints:
        """The same, counted along `outcomes`. (Q,)"""
        return np.searchsorted(self._outcome_keys, _keys(customer, time))

    @cached_property
    def _visit_keys(self) -> Ints:
        return _keys(self.visit_customer, self.visit_time)

    @cached_property
    def _outcome_keys(self) -> Ints:
        return self._visit_keys[self.outcomes]


def _keys(customer: Ints, time: Floats) -> Ints:
    # One sorted axis for (customer, time): 2 million customers, times until the year 2109.
    return (customer << 42) + np.rint(time * MILLISECONDS).astype(np.int64)


def read_history(
    dataset: Dataset,
    vocabulary: Vocabulary,
    *,
    outcome_kinds: Sequence[str],
    cuts: Sequence[float],
    until: float,
    shard: int | None = None,
    cleaning: Cleaning = KEEP,
    limits: Limits = ANY,
) -> History:
    """Read the events before `until`, and nothing later.

    `cuts` are the moments at which the history will be asked about: a visit that spans one is split
    there, so that what comes after a cut-off cannot change what came before.
    """
    events = _select(cleaned(dataset, cleaning, shard), until)
    events = _encode(events, vocabulary, outcome_kinds, cuts, limits)
    customers = events["customer"].unique().sort().to_list()
    return _group(events, customers)


def _select(events: pl.LazyFrame, until: float) -> pl.DataFrame:
    last = EPOCH + timedelta(days=until)
    columns = ["customer", "at", "kind", "basket", "product", "quantity", "amount"]
    return events.filter(pl.col("at") < last).select(columns).collect()


def _encode(
    events: pl.DataFrame,
    vocabulary: Vocabulary,
    outcome_kinds: Sequence[str],
    cuts: Sequence[float],
    limits: Limits,
) -> pl.DataFrame:
    """Add numbers for everything that groups, and sort: the same rows always come in the same order."""
    moment = pl.col("at").dt.epoch("ms")
    part = pl.sum_horizontal(
        [(moment >= round(cut * MILLISECONDS)).cast(pl.Int8) for cut in cuts] or [pl.lit(0)]
    )
    kinds = {kind: index for index, kind in enumerate(vocabulary.kinds)}
    coded = events.select(
        "customer",
        moment.alias("ms"),
        part.alias("part"),
        (moment // MILLISECONDS).alias("day"),
        pl.col("kind").replace_strict(kinds, default=0, return_dtype=pl.Int64).alias("kind"),
        pl.col("kind").is_in(list(outcome_kinds)).alias("outcome"),
        pl.coalesce("basket", moment.cast(pl.String)).alias("basket"),
        vocabulary.product_index(pl.col("product")).alias("product"),
        limits.clip("quantity", _finite("quantity")),
        limits.clip("amount", _finite("amount")),
    )
    return coded.sort(
        "customer", "part", "day", "kind", "outcome", "basket", "product", "ms", "quantity", "amount"
    )


def _finite(name: str) -> pl.Expr:
    """What is no number counts as nothing, and one absurd entry must not swallow everyone's sums."""
    value = pl.col(name)
    return pl.when(value.is_finite()).then(value.clip(-LARGEST, LARGEST)).otherwise(0.0).alias(name)


def _group(events: pl.DataFrame, customers: list[str]) -> History:
    if events.is_empty():
        ints, floats = np.zeros(0, np.int64), np.zeros(0)
        numbers = np.zeros(0, np.float32)
        return History(
            [], ints, floats, ints, np.zeros(0, bool), floats, floats, ints, ints, numbers, numbers
        )
    ids = events.select(pl.struct("customer", "part", "day", "kind", "outcome", "basket").rle_id())
    visit = ids.to_series().to_numpy().astype(np.int64)
    first = np.flatnonzero(np.diff(visit, prepend=-1))
    customer = events.select(pl.col("customer").rle_id()).to_series().to_numpy().astype(np.int64)[first]
    time = np.maximum.reduceat(events["ms"].to_numpy(), first) / MILLISECONDS
    order = np.lexsort((np.arange(len(first)), time, customer))  # visits by customer, then time
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    product = events["product"].to_numpy().astype(np.int64)
    known, width = product >= 0, int(product.max()) + 1
    lines, line = np.unique(rank[visit][known] * width + product[known], return_inverse=True)
    quantity, amount = (
        np.bincount(line, events[name].to_numpy()[known], len(lines)).astype(np.float32)
        for name in ("quantity", "amount")
    )
    return History(
        customers=customers,
        visit_customer=customer[order],
        visit_time=time[order],
        visit_kind=events["kind"].to_numpy()[first][order],
        visit_outcome=events["outcome"].to_numpy()[first][order],
        visit_quantity=np.add.reduceat(events["quantity"].to_numpy(), first)[order],
        visit_amount=np.add.reduceat(events["amount"].to_numpy(), first)[order],
        line_visit=lines // max(width, 1),
        line_product=lines % max(width, 1),
        line_quantity=quantity,
        line_amount=amount,
    )
