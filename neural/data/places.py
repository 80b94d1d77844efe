"""Features of pairs by their place among those of training: what lies beyond tells no more.

Sales grow and a busy season lies outside of all that training saw. A place on the training's own scale has
no outside, keeps the order of the values, and means the same in every shop.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from neural.data.candidates import FEATURES, Candidates
from neural.data.history import Floats

STEPS = 8  # parts of the scale, of equally many pairs each
ENOUGH = 200_000  # pairs to learn the scale of


@dataclass(frozen=True)
class Places:
    """Edges of the steps, of the others' pairs and of own pairs apart. (2, FEATURES, STEPS + 1), ascending"""

    edges: Floats

    @classmethod
    def none(cls) -> Self:
        """Features as they are, as far as they lie between 0 and STEPS."""
        return cls(np.broadcast_to(np.arange(STEPS + 1.0), (2, FEATURES, STEPS + 1)))

    @classmethod
    def fit(cls, pairs: Candidates, seed: int) -> Self:
        edges = cls.none().edges.copy()
        for own in (0, 1):
            rows = np.flatnonzero(pairs.own == bool(own))
            if len(rows) > ENOUGH:
                rows = np.random.default_rng(seed).choice(rows, ENOUGH, replace=False)
            if len(rows):
                edges[own] = np.quantile(pairs.features[rows], np.linspace(0, 1, STEPS + 1), axis=0).T
        return cls(edges)

    @classmethod
    def read(cls, learnt: dict[str, Any] | None) -> Self:
        return cls.none() if learnt is None else cls(np.asarray(learnt["edges"]))

    def as_json(self) -> dict[str, Any]:
        return {"edges": self.edges.tolist()}

    def apply(self, pairs: Candidates) -> Candidates:
        """The same pairs with the places of their features, 0 … STEPS; edges that fall together are one."""
        found = np.empty_like(pairs.features)
        for own in (0, 1):
            rows = np.flatnonzero(pairs.own == bool(own))
            values = np.ascontiguousarray(pairs.features[rows].T)  # (FEATURES, r)
            for column, value in enumerate(values):
                edges = np.unique(self.edges[own, column])
                value[:] = np.interp(value, edges, np.linspace(0, STEPS, len(edges)))
            found[rows] = values.T
        return replace(pairs, features=found)
