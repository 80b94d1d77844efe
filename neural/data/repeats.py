"""What each customer bought before a moment, and how long ago: the input of the copy term.

One function serves training, evaluation and scoring, so they cannot differ.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, History, Ints, expand

DECAYS = (14.0, 45.0, 120.0, 365.0)  # days after which a purchase weighs 1/e
ORDERS = (2, 5)  # newest orders of which it is counted how many held a product
FEATURES = len(DECAYS) + 4 + 2 + len(ORDERS)


@dataclass(frozen=True)
class Repeats:
    """One row for each (query, product the customer bought before): R rows, sorted by query."""

    query: Ints  # (R,)
    product: Ints  # (R,)
    features: npt.NDArray[np.float32]  # (R, FEATURES) see `own_purchases`
    times: Ints  # (R,) number of visits with the product
    days_since: Floats  # (R,) since the last of them
    span: Floats  # (R,) days between the first and the last of them


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
        self.order = np.searchsorted(history.outcomes, self.visit)  # (B,) counted along all orders

    def before(self, customer: Ints, time: Floats) -> Repeats:
        """Collect the purchases of each query's customer strictly before its time.

        Features: log1p of the count decayed at each of DECAYS and of the plain count; whether it was
        bought more than once; log of the days since, over the usual gap (0 where there is none); log1p
        of the days since; log1p of the orders since; share of all orders that held it, and of the newest
        ORDERS.
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
        ]
        features = np.stack(columns, axis=1).astype(np.float32)
        return Repeats(owner[live], self.pair_product[pair[live]], features, times, since, span)
