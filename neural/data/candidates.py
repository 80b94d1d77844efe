"""Candidates: the products that a customer may well buy, and everything known of each such pair.

A customer's candidates are what the customer ever bought, what goes with it, and what the market buys now or
bought in this season a year ago. All other products are told apart by the encoder alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.utils.extmath import randomized_svd

from neural.data import repeats, trends
from neural.data.history import Floats, Ints
from neural.data.repeats import Repeats
from neural.data.similarity import Neighbours, bm25, own_counts
from neural.data.world import Queries, World

Floats32 = npt.NDArray[np.float32]
Products = npt.NDArray[np.signedinteger]  # numbers of products, 32 or 64 bits wide

NEAR = 200  # products that go with a customer's own
FAR = 2.0 * NEAR  # rank of what is not among them
MARKET = 80  # products leading in each of LEADING
LEADING = (trends.MONTH, trends.SEASON, len(trends.WINDOWS) + 2)
RANK = 64  # of the factors of who bought what
HALF = 365.0  # days after which a purchase weighs 1/e among these
FEATURES = repeats.FEATURES + trends.FEATURES + 5
WIDEST = 8.0  # standard deviations: what lies beyond tells no more
ENOUGH = 200_000  # pairs to learn the scale of


@dataclass(frozen=True)
class Candidates:
    """R pairs, sorted by query, then product."""

    query: Ints  # (R,)
    product: Ints  # (R,)
    own: npt.NDArray[np.bool_]  # (R,) the customer bought it before
    features: Floats32  # (R, FEATURES) own purchases, closeness, price, the market's


class CandidateFinder:
    """Finds the candidates of queries; what everybody's purchases say is that of the newest anchor."""

    def __init__(self, world: World, neighbours: Neighbours) -> None:
        self.world, self.neighbours = world, neighbours
        self._factors: dict[float, tuple[Floats32, Floats]] = world.worked_out.setdefault("factors", {})

    def find(self, queries: Queries, own: Repeats, market: Floats32, day: Ints) -> Candidates:
        """`own` are the queries' purchases, (D, P, F) `market` their days' trends and (Q,) `day` its rows."""
        leaders = [leading(each) for each in market]
        query, product, near, rank = self._picked(queries, own, [leaders[number] for number in day.tolist()])
        width = len(self.world.vocabulary.products)
        place = np.searchsorted(query * width + product, own.query * width + own.product)

        bought = np.zeros((len(query), repeats.FEATURES), np.float32)
        bought[place] = own.features
        is_own = np.zeros(len(query), bool)
        is_own[place] = True
        apart = self._price(own, len(queries))
        price = self.world.vocabulary.product_price
        columns = [
            near,
            np.log1p(rank),
            self._kinship(queries, query, product),
            price[product] - apart[query],
            price[product],
        ]
        pair = np.stack(columns, axis=1).astype(np.float32)
        features = np.concatenate([bought, pair, market[day[query], product]], axis=1)
        return Candidates(query, product, is_own, features)

    def factors(self, time: float) -> tuple[Floats32, Floats]:
        """Vectors of all products by who bought them before the newest anchor at `time`; their covariance.

        (P, RANK), 0 for what had not been sold, and over what had (RANK, RANK).
        """
        moment = self.neighbours.anchor(time)
        if np.isneginf(moment):
            shape = (len(self.world.vocabulary.products), RANK)
            return np.zeros(shape, np.float32), np.zeros((RANK, RANK))
        if moment not in self._factors:
            self._factors[moment] = _factors(self.world.everyone, moment)
        return self._factors[moment]

    def _picked(
        self, queries: Queries, own: Repeats, leaders: list[Ints]
    ) -> tuple[Ints, Ints, Floats32, Floats32]:
        """Query and product of the candidates, closeness to the customer's own and its rank. 4 x (R,)

        Query by query on scratch rows as long as the catalogue, so that no (Q, P) array is ever held.
        `leaders` are the market's candidates of each query.
        """
        near = self.neighbours.closeness(queries)
        closeness, taken = np.zeros(near.shape[1], np.float32), np.zeros(near.shape[1], bool)
        rank, ranks = np.full(near.shape[1], FAR, np.float32), np.arange(NEAR, dtype=np.float32)
        edges = np.searchsorted(own.query, np.arange(len(queries) + 1))
        rows: list[tuple[Ints, Floats32, Floats32]] = []
        for row, ahead in enumerate(leaders):
            some = slice(near.indptr[row], near.indptr[row + 1])
            alike, value = near.indices[some], near.data[some]
            first = strongest(alike, value, NEAR)
            closeness[alike], rank[first] = value, ranks[: len(first)]
            for chosen in (first, ahead, own.product[edges[row] : edges[row + 1]]):
                taken[chosen] = True
            product = np.flatnonzero(taken)
            rows.append((product, closeness[product], rank[product]))
            closeness[alike], rank[first], taken[product] = 0, FAR, False
        size = [len(product) for product, _, _ in rows]
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))
        parts = [np.concatenate(part) for part in zip(nothing, *rows, strict=True)]
        return np.repeat(np.arange(len(rows)), size), parts[0], parts[1], parts[2]

    def _kinship(self, queries: Queries, query: Ints, product: Ints) -> Floats32:
        """How well each candidate suits the customer by the factors, beside all products sold. (R,)

        The spread over all of them follows from the vectors' covariance C: var(V u) = u' C u.
        """
        counts = own_counts(self.world, queries, HALF).astype(np.float32)
        counts.data = np.log1p(counts.data)
        found = np.zeros(len(query), np.float32)
        edges = np.searchsorted(query, np.arange(len(queries) + 1))
        moments = np.array([self.neighbours.anchor(time) for time in queries.time.tolist()])
        for moment in np.unique(moments):
            rows, (vectors, covariance) = np.flatnonzero(moments == moment), self.factors(float(moment))
            customer = (counts[rows] @ vectors).astype(np.float64)  # (q, RANK)
            spread = np.sqrt(np.maximum(((customer @ covariance) * customer).sum(axis=1), 0.0))
            scaled = (customer / np.maximum(spread, 1e-6)[:, None]).astype(np.float32)
            for row, vector in zip(rows.tolist(), scaled, strict=True):
                some = slice(edges[row], edges[row + 1])
                found[some] = vectors[product[some]] @ vector
        return found

    def _price(self, own: Repeats, queries: int) -> Floats:
        """The usual price of what each customer buys. (Q,)"""
        weight = own.times.astype(np.float64)
        price = self.world.vocabulary.product_price
        total = np.bincount(own.query, weight * price[own.product], queries)
        return np.asarray(total / np.maximum(np.bincount(own.query, weight, queries), 1e-9))


def leading(market: Floats32) -> Ints:
    """The products of one day's trends (P, F) that lead in what sells now or sold in this season."""
    found = []
    for column in LEADING:
        sold = np.flatnonzero(market[:, column] > 0)
        found.append(strongest(sold, market[sold, column], MARKET))
    return np.unique(np.concatenate(found))


def strongest(product: Products, value: Floats32, most: int) -> Products:
    """Products of the `most` largest values, largest first; of equals the lower number. (n,) -> (<= n,)"""
    if len(value) > most:
        kept = np.flatnonzero(value >= np.partition(value, len(value) - most)[len(value) - most])
        product, value = product[kept], value[kept]
    found: Products = product[np.lexsort((product, -value))[:most]]
    return found


def _factors(world: World, moment: float) -> tuple[Floats32, Floats]:
    """Right singular vectors of the BM25-weighted purchases before `moment`, and their covariance."""
    counts = bm25(own_counts(world, world.with_history(moment), HALF))
    sold = np.unique(counts.indices)
    vectors, covariance = np.zeros((counts.shape[1], RANK), np.float32), np.zeros((RANK, RANK))
    rank = min(RANK, counts.shape[0], len(sold))
    if rank:
        found = randomized_svd(counts[:, sold], rank, n_iter=2, random_state=world.config.seed)
        vectors[sold, :rank] = found[2].T
        apart = vectors[sold] - vectors[sold].mean(axis=0, dtype=np.float64)
        covariance = apart.T @ apart / len(sold)
    return vectors, covariance


@dataclass(frozen=True)
class PairScale:
    """Mean and spread of the features, of own pairs and of the others apart. 2 x (2, FEATURES)"""

    mean: Floats
    spread: Floats

    @classmethod
    def none(cls) -> "PairScale":
        """Features as they are."""
        return cls(np.zeros((2, FEATURES)), np.ones((2, FEATURES)))

    @classmethod
    def fit(cls, pairs: Candidates, seed: int) -> "PairScale":
        mean, spread = cls.none().mean, cls.none().spread
        for own in (0, 1):
            rows = np.flatnonzero(pairs.own == bool(own))
            if len(rows) > ENOUGH:
                rows = np.random.default_rng(seed).choice(rows, ENOUGH, replace=False)
            if len(rows):
                mean[own] = pairs.features[rows].mean(axis=0)
                spread[own] = np.maximum(pairs.features[rows].std(axis=0), 1e-3)
        return cls(mean, spread)

    def apply(self, pairs: Candidates) -> Floats32:
        kind = pairs.own.astype(np.int64)
        scaled = (pairs.features - self.mean[kind]) / self.spread[kind]
        return np.clip(scaled, -WIDEST, WIDEST).astype(np.float32)
