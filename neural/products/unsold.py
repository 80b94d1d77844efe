"""Products that nobody has bought yet: what a model says of the most alike that do sell speaks for them.

An embedding is learnt from sales, so of a product without any a model knows next to nothing. By its name,
category and price it resembles others, and its odds are taken to be the mean of theirs, nearer to those of
all that sells where it resembles few.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neural.data.history import Floats, Ints
from neural.data.vocabulary import Vocabulary
from neural.products.likeness import Likeness

NEAREST = 50  # lenders of a product
PRIOR = 0.2  # weight of all that sells beside the likeness of the lenders
LATELY = 28  # days in which a lender was sold
SPREAD = 0.5  # difference of the prices' logarithms at which a likeness counts 1/e


@dataclass(frozen=True)
class Lenders:
    """Of P products, C without a sale and the N that sell."""

    unsold: Ints  # (C,)
    selling: Ints  # (N,)
    weights: sparse.csr_array  # (C, N) each row adds up to less than 1: the rest is that of all that sells

    @classmethod
    def of(cls, vocabulary: Vocabulary, first_sale: Floats, sold: Ints, moment: float) -> "Lenders":
        """Find lenders for what is offered and was not sold before `moment`.

        first_sale (P,) as in `World`; sold (P,): sales of each product in the LATELY days before.
        """
        unsold = np.flatnonzero(vocabulary.offered & (first_sale >= moment))
        selling = np.flatnonzero((first_sale < moment) & (sold > 0))
        place = np.full(len(first_sale), -1, np.int64)
        place[selling] = np.arange(len(selling))
        likeness, rows = Likeness(vocabulary), []
        for product in unsold if len(selling) else ():
            rows.append(_weights(likeness, int(product), place, len(selling)))
        if not rows:
            return cls(np.zeros(0, np.int64), selling, sparse.csr_array((0, len(selling))))
        return cls(unsold, selling, sparse.csr_array(sparse.vstack(rows, format="csr")))

    def lend(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Replace the scores (logits) of what is unsold by those lent. (Q, P) -> (Q, P)"""
        if not len(self.unsold):
            return scores
        theirs = scores[:, self.selling].astype(np.float64)  # (Q, N)
        top = theirs.max(axis=1, keepdims=True)
        odds = np.exp(theirs - top)
        known = np.asarray(self.weights.sum(axis=1))[None, :]  # (1, C)
        lent = (self.weights @ odds.T).T + (1 - known) * odds.mean(axis=1, keepdims=True)
        found = scores.copy()
        found[:, self.unsold] = np.log(np.maximum(lent, 1e-30)) + top
        return found


def _weights(likeness: Likeness, product: int, place: Ints, width: int) -> sparse.csr_array:
    """How much each that sells lends to one product: together less than 1, least where few resemble it."""
    pairs = likeness.pairs(product, product + 1)
    prices = np.log1p(likeness.price)
    near = np.exp(-np.abs(prices[pairs.other] - prices[product]) / SPREAD)
    same = likeness.category[pairs.other] == likeness.category[product]
    alike = (pairs.name + 0.1 * (same & (likeness.category[product] > 0))) * near
    kept = np.flatnonzero((place[pairs.other] >= 0) & (alike > 0))
    kept = kept[np.argsort(-alike[kept], kind="stable")[:NEAREST]]
    weight = alike[kept] / (alike[kept].sum() + PRIOR)
    columns = place[pairs.other[kept]]
    return sparse.coo_array((weight, (np.zeros(len(kept), np.int64), columns)), shape=(1, width)).tocsr()
