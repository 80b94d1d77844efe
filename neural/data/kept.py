"""Candidates of the queries that every epoch asks about, found once: finding takes as long as learning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from neural.data.candidates import Candidates
from neural.data.history import MILLISECONDS, Bools, Ints, expand
from neural.data.world import Queries

MOST = 8_000  # queries: with some 360 candidates each they take 400 MB
CHUNK = 256  # queries found together


@dataclass(frozen=True)
class Kept:
    """Q queries, by customer, then time, and the candidates of all of them end to end (R)."""

    keys: Ints  # (Q,) ascending
    start: Ints  # (Q + 1,)
    product: npt.NDArray[np.int32]  # (R,)
    own: Bools  # (R,)
    features: npt.NDArray[np.float16]  # (R, FEATURES) places, to a 256th

    @classmethod
    def of(cls, queries: Queries, find: Callable[[Queries], Candidates]) -> Self:
        """In chunks that follow from the queries alone: a resumed run finds what the killed one had found."""
        found = [find(queries.take(slice(at, at + CHUNK))) for at in range(0, max(len(queries), 1), CHUNK)]
        sizes = [
            np.bincount(part.query, minlength=min(CHUNK, len(queries) - number * CHUNK))
            for number, part in enumerate(found)
        ]
        return cls(
            _keys(queries),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(sizes))]),
            np.concatenate([part.product.astype(np.int32) for part in found]),
            np.concatenate([part.own for part in found]),
            np.concatenate([part.features.astype(np.float16) for part in found]),
        )

    def holds(self, queries: Queries) -> bool:
        """Whether it was made of just these queries."""
        return np.array_equal(self.keys, _keys(queries))

    def take(self, queries: Queries) -> Candidates | None:
        """The candidates of some of its queries; None where it does not know all of them."""
        keys = _keys(queries)
        place = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        if not len(self.keys) or not np.array_equal(self.keys[place], keys):
            return None
        query, row = expand(self.start[place], self.start[place + 1])
        return Candidates(
            query, self.product[row].astype(np.int64), self.own[row], self.features[row].astype(np.float32)
        )


def _keys(queries: Queries) -> Ints:
    return (queries.customer << 42) + np.rint(queries.time * MILLISECONDS).astype(np.int64)
