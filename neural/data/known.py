"""What is known of everybody at an anchor, and what it says of single pairs of customer and product.

Everything is worked out once for each anchor and kept in `World.worked_out`, so that those who score a part
of the customers read what one of them worked out. Pairs: R rows, `query` ascending.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neural.data import autoencoder, pieces
from neural.data.autoencoder import Autoencoder
from neural.data.history import Ints, expand
from neural.data.pieces import Pieces
from neural.data.similarity import Neighbours, own_counts
from neural.data.world import Queries, World
from neural.factorisation import factorise, fold_in
from neural.products.likeness import Likeness

Floats32 = npt.NDArray[np.float32]

RANK, L2, ALPHA, ROUNDS = 32, 5.0, 3.0, 5  # of the factors
MEMORY = 90.0  # days after which a purchase weighs 1/e among the factors,
WORDING = 180.0  # and in the words
NOTHING = np.zeros(0, np.int64), np.zeros(0, np.float32)


class Known:
    def __init__(self, world: World, neighbours: Neighbours) -> None:
        self.world, self.neighbours = world, neighbours

    def work_out(self, time: float) -> None:
        """Work out everything for queries at `time`."""
        for make in (_autoencoder, _factors, _pieces):
            self._at(self.neighbours.anchor(time), make)

    def expected(self, queries: Queries) -> list[tuple[Ints, Floats32]]:
        """Products that the autoencoder knows, ascending, and how much it expects of each, query by query."""
        counts = own_counts(self.world, queries, autoencoder.DECAY)
        found = [NOTHING] * len(queries)
        for moment, rows in self._by_anchor(queries):
            encoder: Autoencoder = self._at(moment, _autoencoder)
            for row, scores in zip(rows.tolist(), encoder.scores(counts[rows]), strict=True):
                found[row] = encoder.products, scores
        return found

    def suits(self, queries: Queries, query: Ints, product: Ints) -> Floats32:
        """Product of the customers' and the products' factors. (R,)"""
        counts = own_counts(self.world, queries, MEMORY)
        found = np.zeros(len(query), np.float32)
        for moment, rows in self._by_anchor(queries):
            vectors: Floats32 = self._at(moment, _factors)
            customers = np.zeros((len(queries), RANK), np.float32)
            customers[rows] = fold_in(counts[rows], vectors, L2, ALPHA)
            asked = np.isin(query, rows)
            found[asked] = np.einsum("rk,rk->r", customers[query[asked]], vectors[product[asked]])
        return found

    def worded(self, queries: Queries, query: Ints, product: Ints) -> Floats32:
        """Whether the product's name has the words of what the customer buys. (R,)"""
        words = self._words
        profile = (own_counts(self.world, queries, WORDING).astype(np.float32) @ words).toarray()  # (Q, W)
        size = np.linalg.norm(profile, axis=1, keepdims=True)
        profile /= np.maximum(size, 1e-9)
        row, entry = expand(words.indptr[product], words.indptr[product + 1])
        value = profile[query[row], words.indices[entry]] * words.data[entry]
        return np.bincount(row, value, len(query)).astype(np.float32)

    def pieces(self, queries: Queries, query: Ints, product: Ints) -> Floats32:
        """What everybody pays and takes of each product. (R, len(pieces.COLUMNS))"""
        found = np.zeros((len(query), len(pieces.COLUMNS)), np.float32)
        for moment, rows in self._by_anchor(queries):
            told: Pieces = self._at(moment, _pieces)
            asked = np.isin(query, rows)
            found[asked] = told.table()[product[asked]]
        return found

    @cached_property
    def _words(self) -> Any:
        return Likeness(self.world.vocabulary).names.astype(np.float32)

    def _by_anchor(self, queries: Queries) -> list[tuple[float, Ints]]:
        """The anchors that queries read, without those before the first, and the queries of each."""
        moments = np.array([self.neighbours.anchor(time) for time in queries.time.tolist()])
        return [
            (float(moment), np.flatnonzero(moments == moment))
            for moment in np.unique(moments)
            if np.isfinite(moment)
        ]

    def _at(self, moment: float, make: Callable[[World, float], Any]) -> Any:
        kept = self.world.worked_out.setdefault(make.__name__.strip("_"), {})
        if moment not in kept:
            kept[moment] = make(self.world.everyone, moment)
        return kept[moment]


def _autoencoder(world: World, moment: float) -> Autoencoder:
    return Autoencoder.fit(own_counts(world, world.with_history(moment), autoencoder.DECAY))


def _factors(world: World, moment: float) -> Floats32:
    counts = own_counts(world, world.with_history(moment), MEMORY)
    sold = np.unique(counts.indices)  # what is sold later must not stir the first, random vectors
    vectors = np.zeros((counts.shape[1], RANK), np.float32)
    if len(sold):
        vectors[sold] = factorise(counts[:, sold], RANK, L2, ALPHA, ROUNDS, world.config.seed)
    return vectors


def _pieces(world: World, moment: float) -> Pieces:
    return Pieces.at(world.history, len(world.vocabulary.products), moment)
