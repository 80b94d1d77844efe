"""What a customer's own purchases say for a product: how often it was bought, whether it is due."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neural.data.history import Bools, Floats, Ints, expand
from neural.data.repeats import Repeats
from neural.data.world import Queries, World

LEAST_TIMES = 3  # purchases of a product that make a cycle
LEAST_GAP = 2.0  # days
EARLY, LATE = 0.8, 2.0  # times the usual gap: between them a product is due
STEADY = 0.5  # a gap is like the usual one when it differs by no more than this share of it


@dataclass(frozen=True)
class Own:
    """What the customers of Q queries bought before them."""

    world: World
    queries: Queries

    @cached_property
    def repeats(self) -> Repeats:
        return self.world.own.before(self.queries.customer, self.queries.time)

    @cached_property
    def _lines(self) -> tuple[Ints, Ints]:
        """Query and line of every purchase, by query and time. 2 x (L,)"""
        own, history, queries = self.world.own, self.world.history, self.queries
        start = np.searchsorted(own.visit, history.visit_start[queries.customer])
        stop = np.searchsorted(own.visit, history.before(queries.customer, queries.time))
        return expand(start, stop)

    @cached_property
    def _keys(self) -> Ints:
        """Query and product of each row of `repeats`, as one sorted number. (R,)"""
        return self.repeats.query * self._width + self.repeats.product

    @property
    def _width(self) -> int:
        return len(self.world.vocabulary.products)

    def places(self, lists: Ints) -> Ints:
        """Row of each listed product among `repeats`, -1 where the customer never bought it. (Q, K)"""
        wanted = np.arange(len(lists))[:, None] * self._width + lists
        return np.where(lists >= 0, _find(self._keys, wanted), -1)

    def times(self, query: int, product: int) -> int:
        """How often one customer bought one product."""
        place = _find(self._keys, np.asarray([query * self._width + product]))[0]
        return int(self.repeats.times[place]) if place >= 0 else 0

    def owned(self) -> Bools:
        """Whether the customer ever bought it. (Q, P)"""
        found = np.zeros((len(self.queries), self._width), bool)
        found[self.repeats.query, self.repeats.product] = True
        return found

    def bought_within(self, start: float, stop: float) -> Bools:
        """Whether each row of `repeats` was bought from `start` on, before `stop`. (R,)"""
        query, line = self._lines
        time = self.world.own.time[line]
        kept = (time >= start) & (time < stop)
        return np.isin(self._keys, query[kept] * self._width + self.world.own.product[line[kept]])

    def usual_gap(self, rows: Ints) -> Floats:
        """Median days between purchases of these rows of `repeats`, in order; 0 where they are not due.

        Due is what was bought LEAST_TIMES or more, most gaps like the usual one, and last EARLY to LATE
        such gaps ago. (N,)
        """
        repeats, (query, line) = self.repeats, self._lines
        often = repeats.times[rows] >= LEAST_TIMES
        mine = rows[often]
        keys, times, since = self._keys[mine], repeats.times[mine], repeats.days_since[mine]
        bought = query * self._width + self.world.own.product[line]
        cycle = _find(keys, bought)  # (L,)
        order = np.argsort(cycle, kind="stable")  # by product, and still by time
        order = order[cycle[order] >= 0]
        cycle, time = cycle[order], self.world.own.time[line[order]]
        same = cycle[1:] == cycle[:-1]
        cycle, gap = cycle[1:][same], np.diff(time)[same]
        usual = _medians(cycle, gap, len(keys))
        like = np.abs(gap - usual[cycle]) <= STEADY * usual[cycle]
        steady = 2 * np.bincount(cycle, like, len(keys)) > times - 1
        due = steady & (usual >= LEAST_GAP) & (since >= EARLY * usual) & (since <= LATE * usual)
        found = np.zeros(len(rows))
        found[often] = np.where(due, usual, 0.0)
        return found

    def category_visits(self, lists: Ints) -> Ints:
        """Visits with any product of each listed product's category; 0 for one without category. (Q, K)"""
        query, line = self._lines
        category = self.world.vocabulary.product_category
        width = len(self.world.vocabulary.categories)
        bought = category[self.world.own.product[line]]
        pairs = np.unique(self.world.own.visit[line] * width + bought, return_index=True)[1]
        cells = query[pairs] * width + bought[pairs]
        counts = np.bincount(cells, minlength=len(self.queries) * width).reshape(-1, width)
        wanted = category[np.maximum(lists, 0)]
        return np.where((lists >= 0) & (wanted > 0), np.take_along_axis(counts, wanted, axis=1), 0)


def _find(keys: Ints, wanted: Ints) -> Ints:
    """Place of each wanted key among sorted ones, -1 for none."""
    if not len(keys):
        return np.full(wanted.shape, -1, np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def _medians(group: Ints, value: Floats, groups: int) -> Floats:
    """Median of each group's values, of which it has at least one. (groups,)"""
    if not groups:
        return np.zeros(0)
    order = np.lexsort((value, group))
    ranked, start = value[order], np.searchsorted(group[order], np.arange(groups + 1))
    first, last = start[:-1], start[1:] - 1
    return np.asarray((ranked[(first + last) // 2] + ranked[(first + last + 1) // 2]) / 2)
