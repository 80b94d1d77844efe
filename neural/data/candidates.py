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

NEAR = 200  # products that go with a customer's own
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
        self._factors: dict[float, tuple[Ints, Floats32]] = world.worked_out.setdefault("factors", {})

    def find(self, queries: Queries, own: Repeats, market: Floats32, day: Ints) -> Candidates:
        """`own` are the queries' purchases, (D, P, F) `market` their days' trends and (Q,) `day` its rows."""
        products = len(self.world.vocabulary.products)
        near, near_rank = self._near(queries)
        taken = np.isfinite(near_rank)
        for number in range(len(market)):
            taken[np.ix_(day == number, leading(market[number]))] = True
        taken[own.query, own.product] = True
        query, product = np.nonzero(taken)
        place = np.searchsorted(query * products + product, own.query * products + own.product)

        bought = np.zeros((len(query), repeats.FEATURES), np.float32)
        bought[place] = own.features
        is_own = np.zeros(len(query), bool)
        is_own[place] = True
        rank = np.where(np.isfinite(near_rank[query, product]), near_rank[query, product], 2 * NEAR)
        kin = self._kinship(queries)[query, product]
        apart = self._price(own, len(queries))
        price = self.world.vocabulary.product_price
        columns = [
            near[query, product],
            np.log1p(rank),
            kin,
            price[product] - apart[query],
            price[product],
        ]
        features = np.column_stack([bought, *columns, market[day[query], product]]).astype(np.float32)
        return Candidates(query, product, is_own, features)

    def factors(self, time: float) -> tuple[Ints, Floats32]:
        """Products sold before the newest anchor at `time`, (S,); vectors by their buyers, (S, RANK)."""
        moment = self.neighbours.anchor(time)
        if np.isneginf(moment):
            return np.zeros(0, np.int64), np.zeros((0, RANK), np.float32)
        if moment not in self._factors:
            self._factors[moment] = _factors(self.world.everyone, moment)
        return self._factors[moment]

    def _near(self, queries: Queries) -> tuple[Floats32, Floats32]:
        """Closeness of every product to the customer's own, and its rank among the NEAR. 2 x (Q, P)"""
        near = self.neighbours.closeness(queries)
        kept = min(NEAR, near.shape[1])
        first = np.argpartition(-near, kept - 1, axis=1)[:, :kept] if kept else np.zeros((len(near), 0), int)
        first.sort(axis=1)  # of equals the lower number comes first
        value = np.take_along_axis(near, first, axis=1)
        first = np.take_along_axis(first, np.argsort(-value, axis=1, kind="stable"), axis=1)
        rank = np.full(near.shape, np.inf, np.float32)
        places = np.broadcast_to(np.arange(kept, dtype=np.float32), first.shape)
        np.put_along_axis(rank, first, places, axis=1)
        rank[near <= 0] = np.inf
        return near, rank

    def _kinship(self, queries: Queries) -> Floats32:
        """How well each product suits the customer by the factors, beside the other products. (Q, P)"""
        counts = own_counts(self.world, queries, HALF).astype(np.float32)
        counts.data = np.log1p(counts.data)
        found = np.zeros(counts.shape, np.float32)
        moments = np.array([self.neighbours.anchor(time) for time in queries.time.tolist()])
        for moment in np.unique(moments):
            rows, (sold, vectors) = np.flatnonzero(moments == moment), self.factors(float(moment))
            kin = (counts[rows][:, sold] @ vectors) @ vectors.T  # (q, S)
            found[np.ix_(rows, sold)] = kin / np.maximum(kin.std(axis=1, keepdims=True), 1e-6)
        return found

    def _price(self, own: Repeats, queries: int) -> Floats:
        """The usual price of what each customer buys. (Q,)"""
        weight = own.times.astype(np.float64)
        price = self.world.vocabulary.product_price
        total = np.bincount(own.query, weight * price[own.product], queries)
        return np.asarray(total / np.maximum(np.bincount(own.query, weight, queries), 1e-9))


def leading(market: Floats32) -> Ints:
    """The products of one day's trends (P, F) that lead in what sells now or sold in this season."""
    first = [np.argsort(-market[:, column], kind="stable")[:MARKET] for column in LEADING]
    found = [place[market[place, column] > 0] for place, column in zip(first, LEADING, strict=True)]
    return np.unique(np.concatenate(found))


def _factors(world: World, moment: float) -> tuple[Ints, Floats32]:
    """Right singular vectors of the BM25-weighted purchases before `moment`."""
    counts = bm25(own_counts(world, world.with_history(moment), HALF))
    sold = np.unique(counts.indices).astype(np.int64)
    vectors = np.zeros((len(sold), RANK), np.float32)
    rank = min(RANK, counts.shape[0], len(sold))
    if rank:
        found = randomized_svd(counts[:, sold], rank, n_iter=2, random_state=world.config.seed)
        vectors[:, :rank] = found[2].T
    return sold, vectors


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
