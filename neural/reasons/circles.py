"""What customers of one attribute buy: counts of them, beside everybody's."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from neural.data.history import Ints
from neural.data.traits import Word
from neural.data.world import World
from neural.reasons.counting import bought_table

YEAR = 365  # days


@dataclass(frozen=True)
class Circles:
    """Customers who bought anything in the YEAR before a moment, V words, P products."""

    words: list[Word]  # V
    everyone: int  # customers
    bought: Ints  # (P,) of them, who bought each product
    members: Ints  # (V,) of them, who have each word
    member_bought: sparse.csr_array  # (V, P) of those, who bought each product
    shared: Ints  # (V, V) products, counted by customer, that customers with both words bought

    @cached_property
    def keys(self) -> Ints:
        """Word and product of each count of `member_bought`, as one sorted number."""
        table = self.member_bought
        word = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
        return np.asarray(word * np.int64(table.shape[1]) + table.indices)

    @classmethod
    def of(cls, world: World, as_of: float) -> "Circles":
        table = bought_table(world, as_of - YEAR, as_of)
        table = table.astype(np.int64)
        worn = world.worn  # (C, W)
        customer, place = np.nonzero(worn >= 0)
        width = len(world.traits.words)
        wears = sparse.coo_array(
            (np.ones(len(customer), np.int64), (worn[customer, place], customer)), shape=(width, len(worn))
        ).tocsr()  # (V, C)
        sizes = np.diff(table.indptr)  # (C,)
        there = (sizes > 0).astype(np.int64)
        sized = sparse.csr_array(wears * sizes[None, :])
        member_bought = sparse.csr_array(wears @ table)
        member_bought.sort_indices()
        return cls(
            words=world.traits.words,
            everyone=int(there.sum()),
            bought=np.bincount(table.indices, minlength=table.shape[1]),
            members=np.asarray(wears @ there),
            member_bought=member_bought,
            shared=np.asarray((sized @ wears.T).todense()),
        )
