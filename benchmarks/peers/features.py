"""What a re-ranker knows of a customer, a product and the two together at a moment."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.peers.log import FOREVER, Array, Floats, Ints, Log

DECAYS = (14.0, 45.0, 120.0, 365.0, FOREVER)  # days
YEAR = 365.0
NEVER = 999.0  # days: longer than any history


class Facts:
    """Everything about one moment that does not depend on the candidates."""

    def __init__(self, log: Log, moment: float) -> None:
        self.log, self.moment = log, moment
        self.part = log.before(moment)
        self.age = moment - log.time[self.part]
        self.counts = {decay: log.counts(moment, decay) for decay in DECAYS}
        ahead = log.between(moment - YEAR, moment - YEAR + 28)
        self.same_season = log.matrix(ahead, np.ones(ahead.stop - ahead.start))

    @cached_property
    def product(self) -> dict[str, Floats]:
        """(P,) each."""
        log, moment = self.log, self.moment
        sold = {days: log.sold(moment - days, moment) for days in (7, 14, 28, 90, 365)}
        season = log.sold(moment - YEAR, moment - YEAR + 28)
        before = log.sold(moment - YEAR - 28, moment - YEAR)
        later = log.sold(moment - YEAR + 28, moment - YEAR + 56)
        last = np.full(log.products, NEVER)
        last[log.product[self.part]] = self.age
        ever = self.counts[FOREVER]
        buyers = np.bincount(ever.indices, minlength=log.products)
        again = np.bincount(ever.indices, ever.data > 1, minlength=log.products)
        first = self._first_times()
        fresh = np.bincount(log.product[self.part], (self.age <= 90) & first, minlength=log.products)
        price = self.prices
        return {
            **{f"sold_{days}": value for days, value in sold.items()},
            "season": season,
            "season_before": before,
            "season_later": later,
            "season_ratio": np.log((season + 1) / (before + 1)),
            "season_later_ratio": np.log((later + 1) / (season + 1)),
            "season_against_now": np.log((season + 1) / (sold[28] + 1)),
            "trend_28_90": np.log((sold[28] + 1) / (sold[90] * 28 / 90 + 1)),
            "trend_7_28": np.log((sold[7] + 1) / (sold[28] / 4 + 1)),
            "product_age": np.minimum(moment - log.first_sale, NEVER),
            "last_sale": last,
            "buyers": buyers.astype(float),
            "again_share": again / np.maximum(buyers, 1),
            "fresh_share": fresh / np.maximum(sold[90], 1),
            "price": price,
        }

    @cached_property
    def prices(self) -> Floats:
        """log of the mean price paid, lately before all. (P,)"""
        weight = np.exp(-self.age / 60)
        product, price = self.log.product[self.part], np.log(np.maximum(self.log.price[self.part], 0.01))
        total = np.bincount(product, weight * price, minlength=self.log.products)
        found: Floats = total / np.maximum(np.bincount(product, weight, minlength=self.log.products), 1e-12)
        return found

    @cached_property
    def customer(self) -> dict[str, Floats]:
        """(N,) each."""
        log = self.log
        _, place = np.unique(log.basket[self.part], return_index=True)  # one line of each basket
        owner, age = log.customer[self.part][place], self.age[place]

        def count(within: float) -> Floats:
            return np.bincount(owner[age <= within], minlength=log.customers).astype(float)

        baskets = count(FOREVER)
        last = np.full(log.customers, NEVER)
        np.minimum.at(last, owner, age)
        first = np.zeros(log.customers)
        np.maximum.at(first, owner, age)
        lines = np.bincount(log.customer[self.part], minlength=log.customers)
        gap = (first - last) / np.maximum(baskets - 1, 1)
        price = np.log(np.maximum(log.price[self.part], 0.01))
        who = log.customer[self.part]
        ever = self.counts[FOREVER]
        different = np.diff(ever.indptr)
        recent = np.bincount(who, self.age <= 120, minlength=log.customers)
        fresh = np.bincount(who, (self.age <= 120) & self._first_times(), minlength=log.customers)
        season = np.asarray(self.same_season.sum(axis=1)).ravel()
        return {
            "baskets": baskets,
            "baskets_28": count(28),
            "baskets_90": count(90),
            "baskets_365": count(365),
            "customer_last": last,
            "customer_first": first,
            "customer_gap": np.where(baskets > 1, gap, NEVER),
            "customer_due": np.where(baskets > 1, last / np.maximum(gap, 1), -1),
            "basket_size": lines / np.maximum(baskets, 1),
            "different": different.astype(float),
            "repeat_share": 1 - different / np.maximum(lines, 1),
            "fresh_lately": np.where(recent > 0, fresh / np.maximum(recent, 1), -1),
            "customer_price": np.bincount(who, price, minlength=log.customers) / np.maximum(lines, 1),
            "customer_season": season,
        }

    def _first_times(self) -> npt.NDArray[np.bool_]:
        """Whether each line is the customer's first purchase of the product. (L,)"""
        keys = self.log.customer[self.part] * self.log.products + self.log.product[self.part]
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, return_index=True)[1]] = True
        return first

    @cached_property
    def _pairs(self) -> tuple[Ints, Floats, Floats]:
        """Keys of all pairs of customer and product that occurred, with days since the last and the first."""
        keys = self.log.customer[self.part] * self.log.products + self.log.product[self.part]
        pairs, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        last = np.zeros(len(pairs))
        last[inverse] = self.age  # in time order: the newest stays
        return pairs, last, self.age[first]

    @cached_property
    def newest(self) -> npt.NDArray[np.float32]:
        """Days since each basket, newest first, of every customer: the 3 newest. (N, 3)"""
        found = np.full((self.log.customers, 3), NEVER, np.float32)
        _, place = np.unique(self.log.basket[self.part], return_index=True)
        owner, age = self.log.customer[self.part][place], self.age[place]
        order = np.lexsort((age, owner))
        owner, age = owner[order], age[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        kept = rank < 3
        found[owner[kept], rank[kept]] = age[kept]
        return found

    @cached_property
    def family(self) -> npt.NDArray[np.float32]:
        """Decayed purchases by customer and family of variants. (N, families)"""
        counts = self.counts[120.0].tocoo()
        families = int(self.log.family.max(initial=0)) + 1
        cells = counts.row * families + self.log.family[counts.col]
        total = np.bincount(cells, counts.data, minlength=self.log.customers * families)
        return total.reshape(self.log.customers, families).astype(np.float32)

    def pair(self, customer: Ints, product: Ints) -> dict[str, npt.NDArray[np.floating]]:
        """(R,) each, for R pairs."""
        found: dict[str, npt.NDArray[np.floating]] = {}
        for decay, counts in self.counts.items():
            found[f"own_{decay:.0f}" if decay < FOREVER else "own_ever"] = np.asarray(
                counts[customer, product]
            )
        keys, last, first = self._pairs
        asked = customer * self.log.products + product
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        known = keys[place] == asked
        since, begun = np.where(known, last[place], NEVER), np.where(known, first[place], NEVER)
        times = found["own_ever"]
        gap = np.where(times > 1, (begun - since) / np.maximum(times - 1, 1), NEVER)
        baskets = self.customer["baskets"][customer]
        mine, own_gap = self.customer["customer_last"][customer], self.customer["customer_gap"][customer]
        found["own_since"], found["own_begun"], found["own_gap"] = since, begun, gap
        found["due"] = np.where(times > 1, since / np.maximum(gap, 1), -1)
        found["own_share"] = times / np.maximum(baskets, 1)
        found["own_rate"] = np.where(known, times / np.maximum(begun, 14), 0)
        found["baskets_since"] = np.where(known, (since - mine) / np.maximum(own_gap, 1), -1)
        found["basket_rank"] = np.where(known, (self.newest[customer] < since[:, None] - 0.01).sum(axis=1), 9)
        found["own_season"] = np.asarray(self.same_season[customer, product])
        found["family"] = self.family[customer, self.log.family[product]] - found["own_120"]
        found["price_gap"] = self.prices[product] - self.customer["customer_price"][customer]
        return found


def ranks(query: Ints, score: npt.NDArray[np.floating]) -> Array:
    """Place of each row's score among its query's, 0 for the highest. `query` is ascending."""
    order = np.lexsort((-score, query))
    found = np.empty(len(query), np.float32)
    found[order] = np.arange(len(query)) - np.searchsorted(query, query)
    return found
