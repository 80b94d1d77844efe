"""What each customer bought before a moment, and how long ago: the input of the copy term.

One function serves training, evaluation and scoring, so they cannot differ.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, History, Ints, expand
from neural.data.pieces import unit_price

DECAYS = (14.0, 45.0, 120.0, 365.0)  # days after which a purchase weighs 1/e
ORDERS = (2, 5)  # newest orders of which it is counted how many held a product
SEASON = (365.0 - 28.0, 365.0)  # days ago: the coming four weeks, as they were a year ago
COLUMNS = (
    *(f"count_{decay:.0f}" for decay in DECAYS),
    "times",
    "more_than_once",
    "due",
    "since",
    "orders_since",
    "share",
    *(f"share_{number}" for number in ORDERS),
    "begun",
    "gap",
    "rate",
    "season",
    "pieces",
    "newest_pieces",
    "refills",
)
FEATURES = len(COLUMNS)
HABITS = 11  # numbers of a customer
LATELY = 120.0  # days: what of these was new tells how curious a customer is
SHORTEST = 14.0  # days over which a rate is told


@dataclass(frozen=True)
class Repeats:
    """One row for each (query, product the customer bought before): R rows, sorted by query."""

    query: Ints  # (R,)
    product: Ints  # (R,)
    features: npt.NDArray[np.float32]  # (R, FEATURES) see `own_purchases`
    times: Ints  # (R,) number of visits with the product
    days_since: Floats  # (R,) since the last of them
    span: Floats  # (R,) days between the first and the last of them
    paid: Floats  # (R,) log of the price of a piece in the last of them, NaN where not told
    habits: npt.NDArray[np.float32]  # (Q, HABITS) see `_habits`


class OwnProducts:
    """Numbers every customer's own products 0, 1, 2, … so that counting needs no sorting."""

    def __init__(self, history: History) -> None:
        self.history = history
        bought = history.visit_outcome[history.line_visit]
        self.visit = history.line_visit[bought]  # (B,) bought lines, by customer, then time
        self.product = history.line_product[bought]
        customer = history.visit_customer[self.visit]
        width = int(self.product.max(initial=0)) + 1
        pairs, inverse = np.unique(customer * width + self.product, return_inverse=True)
        self.pair_product = pairs % width  # (U,) each customer's different products
        self.pair_start = np.searchsorted(pairs // width, np.arange(len(history.customers) + 1))
        self.slot = inverse - self.pair_start[customer]  # (B,) number of the product within its customer
        self.time = history.visit_time[self.visit]
        self.quantity, amount = history.line_quantity[bought], history.line_amount[bought]
        known, price = unit_price(self.quantity, amount)
        self.price = np.where(known, price, np.nan)  # log, of a piece
        self.amount = np.maximum(amount, 0)
        self.order = np.searchsorted(history.outcomes, self.visit)  # (B,) counted along all orders

    def before(self, customer: Ints, time: Floats) -> Repeats:
        """Collect the purchases of each query's customer strictly before its time.

        Features: log1p of the count decayed at each of DECAYS and of the plain count; whether it was
        bought more than once; log of the days since, over the usual gap (0 where there is none); log1p
        of the days since; log1p of the orders since; share of all orders that held it, and of the newest
        ORDERS; log1p of the days since the first and of the usual gap; visits a month; whether it was
        bought in this season a year ago; log1p of all pieces and of those taken last; log of the ratio.
        """
        history = self.history
        start = np.searchsorted(self.visit, history.visit_start[customer])
        stop = np.searchsorted(self.visit, history.before(customer, time))
        query, line = expand(start, stop)
        sizes = self.pair_start[customer + 1] - self.pair_start[customer]
        base = np.cumsum(sizes) - sizes
        cell = base[query] + self.slot[line]
        total = int(sizes.sum())
        age = (time[query] - self.time[line]).astype(np.float32)

        count = np.bincount(cell, minlength=total)
        live = np.flatnonzero(count)
        decayed = [np.bincount(cell, np.exp(-age / decay), total)[live] for decay in DECAYS]
        last = np.zeros(total)
        last[cell] = age  # lines come in time order, so the newest stays
        first = np.zeros(total)
        first[cell[::-1]] = age[::-1]

        times, since, span = count[live], last[live], first[live] - last[live]
        owner, pair = expand(self.pair_start[customer], self.pair_start[customer + 1])
        gap = span / np.maximum(times - 1, 1)
        due = np.where(gap > 0, np.log(np.maximum(since, 0.5) / np.maximum(gap, 0.5)), 0.0)
        now = history.outcomes_before(customer, time)  # (Q,)
        orders = now - np.searchsorted(history.outcomes, history.visit_start[customer])
        back = now[query] - 1 - self.order[line]  # 0 in the newest order
        newest = np.zeros(total)
        newest[cell] = back
        paid, taken = np.full(total, np.nan), np.zeros(total)
        paid[cell], taken[cell] = self.price[line], np.maximum(self.quantity[line], 0)
        pieces = np.bincount(cell, np.maximum(self.quantity[line], 0), total)[live]
        season = np.bincount(cell, (age > SEASON[0]) & (age <= SEASON[1]), total)[live]
        lately = [
            np.bincount(cell, back < number, total)[live] / np.minimum(orders[owner[live]], number)
            for number in ORDERS
        ]
        columns = [
            *np.log1p(decayed),
            np.log1p(times),
            times > 1,
            due,
            np.log1p(since) / 4,
            np.log1p(newest[live]) / 2,
            times / orders[owner[live]],
            *lately,
            np.log1p(since + span),
            np.log1p(gap),
            times / np.maximum(since + span, SHORTEST) * 28,
            season > 0,
            np.log1p(pieces),
            np.log1p(taken[live]),
            np.log1p(pieces) - np.log1p(taken[live]),
        ]
        features = np.stack(columns, axis=1).astype(np.float32)
        spent = np.bincount(query, self.amount[line], len(customer))
        habits = _habits(owner[live], times, since, since + span, taken[live], season, orders, spent)
        return Repeats(
            owner[live], self.pair_product[pair[live]], features, times, since, span, paid[live], habits
        )


def _habits(
    query: Ints,
    times: Ints,
    since: Floats,
    begun: Floats,
    taken: Floats,
    season: npt.NDArray[Any],
    orders: Ints,
    spent: npt.NDArray[Any],
) -> npt.NDArray[np.float32]:
    """How each customer buys, from the (R,) pairs of Q customers: days are those before the query.

    log1p of the orders, of the days since the last and the first, and of the days from order to order; how
    far the next is due; products of an order; share of the lines that were bought before; share of the last
    LATELY days' products that were new then; pieces taken at once; what was spent; lines in this season.
    (Q, HABITS)
    """
    queries = len(orders)

    def total(value: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(query, value.astype(np.float64), queries), np.float64)

    first, last = np.zeros(queries), np.full(queries, np.inf)
    np.maximum.at(first, query, begun)
    np.minimum.at(last, query, since)
    last = np.where(np.isfinite(last), last, 0.0)
    different, lines = total(np.ones(len(query))), total(times)
    gap = (first - last) / np.maximum(orders - 1, 1)
    columns = [
        np.log1p(orders),
        np.log1p(last),
        np.log1p(first),
        np.log1p(gap),
        np.where(orders > 1, np.log1p(last) - np.log1p(gap), 0.0),
        np.log1p(lines / np.maximum(orders, 1)),
        1 - different / np.maximum(lines, 1),
        total(begun <= LATELY) / np.maximum(total(since <= LATELY), 1),
        total(np.log1p(taken)) / np.maximum(different, 1),
        np.log1p(spent),
        np.log1p(total(season)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
