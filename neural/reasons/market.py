"""What all customers buy: who else bought a product, lately and together with another."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neural.data.history import Ints
from neural.data.similarity import own_counts
from neural.data.world import World

NEWEST_PRODUCTS = 200  # of a customer, that count when looking for what is bought together


@dataclass(frozen=True)
class Market:
    """What all customers bought before `as_of`."""

    world: World
    as_of: float

    @cached_property
    def buyers(self) -> npt.NDArray[np.int64]:
        """Customers who bought each product in the last 28 days. (P,)"""
        world, history = self.world, self.world.history
        recent = (world.own.time >= self.as_of - 28) & (world.own.time < self.as_of)
        customer = history.visit_customer[world.own.visit[recent]]
        pairs = np.unique(customer * len(world.vocabulary.products) + world.own.product[recent])
        return np.bincount(pairs % len(world.vocabulary.products), minlength=len(world.vocabulary.products))

    @cached_property
    def active(self) -> int:
        return len(self.world.active(self.as_of))

    @cached_property
    def _purchases(self) -> sparse.csr_array:
        """Purchases ever, older ones weighing less. (customers, P)"""
        return own_counts(self.world, self.world.with_history(self.as_of), 180.0)

    @cached_property
    def _all_owners(self) -> sparse.csc_array:
        return self._purchases.tocsc()

    @cached_property
    def _counted(self) -> dict[tuple[int, int], int]:
        return {}

    @cached_property
    def owners(self) -> sparse.csc_array:
        """Which customers bought which product, their newest products only. (customers, P)"""
        counts = self._purchases.copy()
        for row in range(counts.shape[0]):
            part = slice(counts.indptr[row], counts.indptr[row + 1])
            if part.stop - part.start > NEWEST_PRODUCTS:
                weakest = np.argpartition(-counts.data[part], NEWEST_PRODUCTS)[NEWEST_PRODUCTS:]
                counts.data[part.start + weakest] = 0
        counts.eliminate_zeros()
        counts.data = np.ones_like(counts.data, dtype=np.int32)
        return counts.tocsc()

    def bought_with(self, products: Ints) -> list[tuple[Ints, Ints]]:
        """For each of `products`: the products its owners have too, in order, and how many have them."""
        found = (self.owners[:, products].T @ self.owners).tocsr()
        found.sort_indices()
        rows = zip(found.indptr[:-1], found.indptr[1:], strict=True)
        return [(found.indices[start:stop], found.data[start:stop]) for start, stop in rows]

    def customers_of_both(self, one: int, other: int) -> int:
        """Number of customers who ever bought both, however many other products they bought."""
        pair = (min(one, other), max(one, other))
        if pair not in self._counted:
            start = self._all_owners.indptr
            left, right = (self._all_owners.indices[start[p] : start[p + 1]] for p in pair)
            self._counted[pair] = len(np.intersect1d(left, right, assume_unique=True))
        return self._counted[pair]
