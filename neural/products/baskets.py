"""Which products are bought together: in the same order, and by the same customers. Counts, no estimates."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neural.data.history import Bools, Ints
from neural.data.world import World


@dataclass(frozen=True)
class Baskets:
    """Every order before `as_of` as a set of products. An order is a visit that counts as outcome."""

    world: World
    as_of: float

    @property
    def products(self) -> int:
        return len(self.world.vocabulary.products)

    @cached_property
    def _kept(self) -> Bools:
        """Which of the bought lines lie before `as_of`."""
        return self.world.own.time < self.as_of

    @cached_property
    def total(self) -> int:
        """Number of orders with any product."""
        return len(np.unique(self.world.own.visit[self._kept]))

    @cached_property
    def orders(self) -> Ints:
        """Number of orders with each product. (P,)"""
        return np.bincount(self.world.own.product[self._kept], minlength=self.products)

    @cached_property
    def customers(self) -> Ints:
        """Number of customers who bought each product. (P,)"""
        return np.diff(self._by_customer[0].indptr).astype(np.int64)

    def same_order(self, begin: int, end: int) -> sparse.csr_array:
        """Number of orders with product `begin` … `end` - 1 and each other one. (end - begin, P)"""
        return _together(self._by_order, begin, end)

    def same_customer(self, begin: int, end: int) -> sparse.csr_array:
        """Number of customers who bought both, in one order or in several. (end - begin, P)"""
        return _together(self._by_customer, begin, end)

    @cached_property
    def _by_order(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        return _sides(self.world.own.visit[self._kept], self.world.own.product[self._kept], self.products)

    @cached_property
    def _by_customer(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        customer = self.world.history.visit_customer[self.world.own.visit[self._kept]]
        pairs = np.unique(customer * self.products + self.world.own.product[self._kept])
        return _sides(pairs // self.products, pairs % self.products, self.products)


def _sides(owner: Ints, product: Ints, products: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The table of owners and products, and the other way round. (P, O), (O, P)"""
    _, row = np.unique(owner, return_inverse=True)
    shape = (int(row.max(initial=-1)) + 1, products)
    table = sparse.coo_array((np.ones(len(row), np.int32), (row, product)), shape=shape).tocsr()
    return table.T.tocsr(), table


def _together(sides: tuple[sparse.csr_array, sparse.csr_array], begin: int, end: int) -> sparse.csr_array:
    by_product, by_owner = sides
    found: sparse.csr_array = (by_product[begin:end] @ by_owner).tocsr()
    found.sort_indices()
    return found


def at(table: sparse.csr_array, row: Ints, column: Ints) -> npt.NDArray[np.int64]:
    """Values of a table with sorted columns at the pairs asked for, 0 where it has none."""
    if not table.nnz:
        return np.zeros(len(row), np.int64)
    width = table.shape[1]
    keys = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr)) * width + table.indices
    wanted = row * width + column
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, table.data[place], 0).astype(np.int64)
