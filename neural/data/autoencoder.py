"""A linear autoencoder of baskets: what a customer's purchases say of every product, all others known.

Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from neural.data.history import Ints

Floats32 = npt.NDArray[np.float32]

DECAY = 90.0  # days after which a purchase weighs 1/e
RIDGE = 100.0
MOST = 3000  # best-sellers that it knows: its memory grows with their square, its time with their cube


@dataclass(frozen=True)
class Autoencoder:
    """Weights between the S products it knows."""

    products: Ints  # (S,) ascending
    weights: Floats32  # (S, S) what one of a row's product says for a column's; 0 on the diagonal

    @classmethod
    def fit(cls, counts: sparse.csr_array) -> Self:
        """Learn from decayed counts (N, P), in closed form."""
        sold = np.bincount(counts.indices, counts.data, counts.shape[1])
        best = np.argsort(-sold, kind="stable")[:MOST]
        products = np.sort(best[sold[best] > 0]).astype(np.int64)
        if not len(products):
            return cls(products, np.zeros((0, 0), np.float32))
        known = counts[:, products].astype(np.float32)
        gram = np.asarray((known.T @ known).todense(), np.float32)
        gram[np.diag_indices_from(gram)] += RIDGE
        inverse = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
        weights = np.ascontiguousarray(inverse / -np.diag(inverse), np.float32)
        weights[np.diag_indices_from(weights)] = 0
        return cls(products, weights)

    def scores(self, counts: sparse.csr_array) -> Floats32:
        """How much of each known product the counts (Q, P) lead to expect. (Q, S)"""
        return np.asarray(counts[:, self.products].astype(np.float32) @ self.weights, np.float32)
