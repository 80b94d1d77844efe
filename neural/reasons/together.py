"""Which products the same customers bought: the nearest of each product, and how many customers had both."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neural.data.history import Floats, Ints
from neural.reasons.counting import LEAST_CUSTOMERS

NEAREST = 50  # kept of each product
BLOCK = 512  # products counted at once
MOST_OWN = 1_000  # different products of a customer; of those with more only pairs to be told are counted
AT_ONCE = 64  # such customers
LIFT = 1.5  # how much likelier than everyone an owner of the other product buys this one


@dataclass(frozen=True)
class Together:
    """Of P products: others whose owners bought this one much more often than everyone did."""

    owners: Ints  # (P,) customers who ever bought it
    other: Ints  # (P, NEAREST) products, the strongest first; -1 for none
    both: Ints  # (P, NEAREST) customers who ever bought both

    @classmethod
    def of(cls, owned: sparse.csr_array) -> "Together":
        """Count from `owned`, 1 where a customer ever bought a product. (customers, P)"""
        products = owned.shape[1]
        owners = np.bincount(owned.indices, minlength=products)
        everyone = max(int((np.diff(owned.indptr) > 0).sum()), 1)
        usual = np.diff(owned.indptr) <= MOST_OWN
        few, many = owned[usual].tocsr(), owned[~usual].tocsr()
        transposed = few.T.tocsr()
        other = np.full((products, NEAREST), -1, np.int64)
        both = np.zeros((products, NEAREST), np.int64)
        for begin in range(0, products, BLOCK):
            rows = slice(begin, begin + BLOCK)
            found, count = _nearest(transposed, few, owners, everyone, rows)
            count = count + _counted(many, np.arange(products)[rows], found)
            strength = _strength(owners, everyone, np.arange(products)[rows][:, None], found, count)
            order = np.argsort(-strength, axis=1, kind="stable")
            kept = np.take_along_axis(strength, order, axis=1) > 0
            other[rows] = np.where(kept, np.take_along_axis(found, order, axis=1), -1)
            both[rows] = np.where(kept, np.take_along_axis(count, order, axis=1), 0)
        return cls(owners, other, both)


def _nearest(
    transposed: sparse.csr_array, few: sparse.csr_array, owners: Ints, everyone: int, rows: slice
) -> tuple[Ints, Ints]:
    """The strongest others of the products `rows` and their counts, -1 and 0 for none. 2 x (B, NEAREST)"""
    pairs = sparse.csr_array(transposed[rows] @ few)
    number = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    often = np.flatnonzero(pairs.data >= LEAST_CUSTOMERS)
    number, other, both = number[often], pairs.indices[often].astype(np.int64), pairs.data[often]
    strength = _strength(owners, everyone, number + rows.start, other, both)
    kept = strength > 0
    number, other, both, strength = number[kept], other[kept], both[kept], strength[kept]
    start = np.searchsorted(number, np.arange(pairs.shape[0] + 1))
    found = np.full((pairs.shape[0], NEAREST), -1, np.int64)
    count = np.zeros((pairs.shape[0], NEAREST), np.int64)
    for row, (first, last) in enumerate(zip(start[:-1].tolist(), start[1:].tolist(), strict=True)):
        best = np.arange(first, last)
        if last - first > NEAREST:
            best = first + np.argpartition(-strength[first:last], NEAREST)[:NEAREST]
        found[row, : len(best)], count[row, : len(best)] = other[best], both[best]
    return found, count


def _strength(owners: Ints, everyone: int, product: Ints, other: Ints, both: Ints) -> Floats:
    """Cosine of the two sets of owners where it is evidence, else 0."""
    mine, theirs = np.maximum(owners[product], 1), np.maximum(owners[other], 1)
    lift = both / theirs * everyone / mine
    evident = (other >= 0) & (product != other) & (both >= LEAST_CUSTOMERS) & (lift >= LIFT)
    return np.where(evident, both / np.sqrt(mine.astype(np.float64) * theirs), 0.0)


def _counted(many: sparse.csr_array, product: Ints, other: Ints) -> Ints:
    """How many of the few customers with very many products have both. (B,), (B, K) -> (B, K)"""
    found = np.zeros(other.shape, np.int64)
    for begin in range(0, many.shape[0], AT_ONCE):
        owned = many[begin : begin + AT_ONCE].toarray().astype(bool)
        found += (owned[:, product][:, :, None] & owned[:, np.maximum(other, 0)]).sum(axis=0)
    return np.where(other >= 0, found, 0)


def strongest_owned(together: Together, lists: Ints, owned: npt.NDArray[np.bool_]) -> Ints:
    """Place in `together` of the strongest other that the customer owns, -1 for none.

    (Q, K), (Q, P) -> (Q, K)
    """
    nearest = together.other[np.maximum(lists, 0)]  # (Q, K, N)
    query = np.arange(len(lists))[:, None, None]
    hit = owned[query, np.maximum(nearest, 0)] & (nearest >= 0)
    place = hit.argmax(axis=2)
    return np.where(hit.any(axis=2) & (lists >= 0), place, -1)
