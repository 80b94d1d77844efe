"""A customer's facts at a moment as a row of numbers: recency, frequency, money, cadence, trends.

Everything is counted along the outcome visits by cumulative sums, so a query costs a few look-ups.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neural.data.batches import calendar
from neural.data.history import Floats, History, Ints
from neural.data.world import Queries, World

LOOK_BACKS = (30, 90, 180, 365)  # days
# Columns that move with the clock, whatever the customers do: each of them grows a day older every day.
CLOCK = frozenset({"year_known", "history_days", "tenure", "season_sin", "season_cos"})


def _running(values: npt.NDArray[np.floating]) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


@dataclass(frozen=True)
class Counter:
    """Counts and sums over the outcome visits of a history."""

    history: History

    @cached_property
    def _time(self) -> Floats:
        return self.history.visit_time[self.history.outcomes]

    @cached_property
    def _first(self) -> Ints:
        """(N + 1,) where each customer's outcome visits begin."""
        owner = self.history.visit_customer[self.history.outcomes]
        return np.searchsorted(owner, np.arange(len(self.history.customers) + 1))

    @cached_property
    def _spent(self) -> Floats:
        return _running(self.history.visit_amount[self.history.outcomes])

    @cached_property
    def _lines(self) -> Floats:
        return _running(np.diff(self.history.line_start)[self.history.outcomes])

    @cached_property
    def _gaps(self) -> tuple[Floats, Floats]:
        gap = np.diff(self._time, prepend=self._time[:1])
        gap[self._first[:-1][self._first[:-1] < len(gap)]] = 0.0
        return _running(gap), _running(gap**2)

    def orders(self, queries: Queries, start: float, stop: float = 0.0) -> Ints:
        """Orders from `start` to `stop` days before each query's time. (Q,)"""
        return self._position(queries, stop) - self._position(queries, start)

    def spend(self, queries: Queries, start: float, stop: float = 0.0) -> Floats:
        return self._spent[self._position(queries, stop)] - self._spent[self._position(queries, start)]

    def products(self, queries: Queries, start: float) -> Floats:
        """Lines bought in the last `start` days. (Q,)"""
        return self._lines[self._position(queries, 0.0)] - self._lines[self._position(queries, start)]

    def days_since(self, queries: Queries, back: int = 1) -> Floats:
        """Days since the last order (or the one before, with back=2); to the first where there are fewer."""
        index = np.maximum(self._position(queries, 0.0) - back, self._first[queries.customer])
        return queries.time - self._time[index]

    def tenure(self, queries: Queries) -> Floats:
        return queries.time - self._time[self._first[queries.customer]]

    def total(self, queries: Queries) -> Ints:
        """Orders so far. (Q,)"""
        return self._position(queries, 0.0) - self._first[queries.customer]

    def gap(self, queries: Queries) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the days between orders; 0 with fewer than two. 2 x (Q,)"""
        stop, first = self._position(queries, 0.0), self._first[queries.customer]
        number = np.maximum(stop - first - 1, 1)
        mean = (self._gaps[0][stop] - self._gaps[0][first]) / number
        square = (self._gaps[1][stop] - self._gaps[1][first]) / number
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0))

    def next_order(self, queries: Queries) -> Floats:
        """Days until the next order at or after each query's time; infinity where none is known. (Q,)"""
        index = self._position(queries, 0.0)
        known = index < self._first[queries.customer + 1]
        time = (
            self._time[np.minimum(index, len(self._time) - 1)] if len(self._time) else np.zeros(len(queries))
        )
        return np.where(known, time - queries.time, np.inf)

    def _position(self, queries: Queries, days: float) -> Ints:
        return self.history.outcomes_before(queries.customer, queries.time - days)


@dataclass(frozen=True)
class KindCounter:
    """Counts visits of one kind."""

    history: History
    kind: int

    @cached_property
    def _seen(self) -> Floats:
        return _running((self.history.visit_kind == self.kind).astype(np.float64))

    def count(self, queries: Queries, days: float) -> Floats:
        now = self.history.before(queries.customer, queries.time)
        return self._seen[now] - self._seen[self.history.before(queries.customer, queries.time - days)]


class Table:
    """The churn table of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counter = Counter(world.history)
        outcome = set(world.config.outcome_kinds)
        self.kinds = {
            kind: KindCounter(world.history, index)
            for index, kind in enumerate(world.vocabulary.kinds)
            if index and kind not in outcome
        }

    @property
    def names(self) -> list[str]:
        """Names of the columns, in their order. (F)"""
        return [
            "days_since_last",
            "days_since_second_last",
            "tenure",
            "orders",
            "single_order",
            "mean_gap",
            "gap_variation",
            "overdue",
            "products_365",
            "spend",
            "orders_year_before",
            "year_known",
            "history_days",
            "orders_trend",
            *(f"{name}_{days}" for days in LOOK_BACKS for name in ("orders", "spend")),
            *(f"{kind}_{days}" for kind in self.kinds for days in (90, 365)),
            "season_sin",
            "season_cos",
        ]

    def columns(self, queries: Queries) -> npt.NDArray[np.float32]:
        """Raw columns, before standardising. (Q, F)"""
        count = self.counter
        since, tenure, total = count.days_since(queries), count.tenure(queries), count.total(queries)
        mean, spread = count.gap(queries)
        horizon = self.world.config.horizon_days
        usual = np.where(mean > 0, mean, tenure + 30.0)
        columns: list[npt.NDArray[np.generic]] = [
            np.log1p(since),
            np.log1p(count.days_since(queries, back=2)),
            np.log1p(tenure),
            np.log1p(total),
            total == 1,
            np.log1p(mean),
            spread / np.maximum(mean, 1.0),
            np.log(np.maximum(since, 0.5) / np.maximum(usual, 0.5)),
            np.log1p(count.products(queries, 365.0)),
            np.log1p(np.maximum(count.spend(queries, tenure.max(initial=0.0) + 1), 0.0)),
            np.log1p(count.orders(queries, 365.0, 365.0 - horizon)),
            queries.time - 365 >= self.world.start,
            np.log1p(queries.time - self.world.start),
            np.log1p(count.orders(queries, 90.0)) - np.log1p(count.orders(queries, 180.0, 90.0)),
        ]
        for days in LOOK_BACKS:
            columns.append(np.log1p(count.orders(queries, days)))
            columns.append(np.log1p(np.maximum(count.spend(queries, days), 0.0)))
        for kind in self.kinds.values():
            columns.append(np.log1p(kind.count(queries, 90.0)))
            columns.append(np.log1p(kind.count(queries, 365.0)))
        columns.extend(calendar(queries.time)[:2])
        return np.stack(columns, axis=1).astype(np.float32)
