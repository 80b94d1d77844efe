"""Product → best customers: the `most` largest chances of every product, gathered while customers are scored.

Memory is bounded by the number kept, not by the customers: what cannot be among a product's best any more
is thrown away block by block. Of a catalogue so large that nobody's chances of all products are held
(`neural.sampling.FULL`) only the 200 best products of each customer come here: a product's callers are then
among those who have it in their 200.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.scores import AUDIENCE
from neural.data.history import Ints
from neural.data.world import World

CALLERS = 200  # customers kept of each product, over all shards
FEWEST = 6  # of them in each shard: the best are not spread evenly
WIDTH = 4_096  # products looked at together
WAITING = 4_000_000  # candidates that may wait before they are thinned out
ASKED = 4_096  # customers whose own purchases are looked up together
DIGITS = 3  # significant digits of a chance


def kept_in(shards: int) -> int:
    """How many customers of each product one shard keeps.

    >>> [kept_in(shards) for shards in (1, 4, 64)]
    [200, 50, 6]
    """
    return max(FEWEST, math.ceil(CALLERS / max(shards, 1)))


@dataclass
class Audience:
    """The best customers of P products, found in any order of batches."""

    products: int
    most: int
    _floor: npt.NDArray[np.float32] = field(init=False)  # (P,) a chance must be above it to be kept
    _product: list[Ints] = field(default_factory=list, init=False)
    _customer: list[Ints] = field(default_factory=list, init=False)
    _chance: list[npt.NDArray[np.float32]] = field(default_factory=list, init=False)
    _waiting: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._floor = np.zeros(self.products, np.float32)

    def add(self, customer: Ints, chances: npt.NDArray[Any], first: int = 0) -> None:
        """Take in the chances (Q, W) of the products `first`, `first` + 1 … for Q customers.

        No customer comes twice; a chance of 0 means that the product is not to be offered.
        """
        for begin in range(0, chances.shape[1], WIDTH):
            block = chances[:, begin : begin + WIDTH].astype(np.float32)
            low = self._floor[first + begin : first + begin + block.shape[1]]
            above = block > low
            crowded = np.flatnonzero(above.sum(axis=0) > self.most)
            if len(crowded):
                least = np.partition(block[:, crowded], -self.most, axis=0)[-self.most]
                above[:, crowded] = (block[:, crowded] >= least) & (least > 0)
            query, product = np.nonzero(above)
            self.add_pairs(customer[query], product + first + begin, block[query, product])

    def add_pairs(self, customer: Ints, product: Ints, chance: npt.NDArray[np.float32]) -> None:
        """The same of single pairs, each of them once."""
        self._product.append(product.astype(np.int64))
        self._customer.append(customer.astype(np.int64))
        self._chance.append(chance.astype(np.float32))
        self._waiting += len(product)
        if self._waiting > WAITING:
            self._thin_out()

    def best(self) -> tuple[Ints, Ints, npt.NDArray[np.float32]]:
        """Return (product, customer, chance) of all that is kept: by product, the likeliest first."""
        self._thin_out()
        return self._product[0], self._customer[0], self._chance[0]

    def _thin_out(self) -> None:
        if not self._product:
            self.add_pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        product, customer = np.concatenate(self._product), np.concatenate(self._customer)
        chance = np.concatenate(self._chance)
        order = np.lexsort((customer, -chance, product))  # equal chances in the order of the customers
        start = np.searchsorted(product[order], np.arange(self.products))
        rank = np.arange(len(order)) - start[product[order]]
        order = order[rank < self.most]
        self._product, self._customer, self._chance = [product[order]], [customer[order]], [chance[order]]
        full = np.searchsorted(product[order], np.arange(1, self.products + 1)) - 1
        count = np.bincount(product[order], minlength=self.products)
        last = chance[order][full[count == self.most]]
        # A later customer with an equal chance could come first by number, so the floor lies just below.
        self._floor[count == self.most] = np.nextafter(last, np.float32(0))
        self._waiting = 0


def audience_table(world: World, audience: Audience, as_of: float) -> pl.DataFrame:
    """Write what an audience kept with what each customer bought of the product before; AUDIENCE."""
    product, customer, chance = audience.best()
    times, since = _own(world, product, customer, as_of)
    names = np.asarray(world.history.customers, dtype=object)
    keys = np.asarray(world.vocabulary.products, dtype=object)
    return pl.DataFrame(
        {
            "key": pl.Series(keys[product].tolist() if len(product) else [], dtype=pl.String),
            "customer": pl.Series(names[customer].tolist() if len(customer) else [], dtype=pl.String),
            "chance": pl.Series(chance.astype(np.float64)).round_sig_figs(DIGITS),
            "times": pl.Series(times, dtype=pl.Int64),
            "days_since": pl.Series(since, dtype=pl.Int64),
        },
        schema=AUDIENCE,
    )


def _own(
    world: World, product: Ints, customer: Ints, as_of: float
) -> tuple[list[int | None], list[int | None]]:
    """How often each customer bought the product, and whole days since the last time; None for never."""
    width = len(world.vocabulary.products)
    wanted = customer * width + product
    times, since = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
    everyone = np.unique(customer)
    for begin in range(0, len(everyone), ASKED):
        some = everyone[begin : begin + ASKED]
        own = world.own.before(some, np.full(len(some), as_of))
        bought: Ints = some[own.query] * width + own.product
        order = np.argsort(bought)
        mine = np.flatnonzero((customer >= some[0]) & (customer <= some[-1]))
        place = np.minimum(np.searchsorted(bought[order], wanted[mine]), max(len(bought) - 1, 0))
        if not len(bought):
            continue
        found = bought[order][place] == wanted[mine]
        row = order[place[found]]
        times[mine[found]] = own.times[row]
        since[mine[found]] = own.days_since[row].astype(np.int64)
    never = times == 0
    return (
        [None if none else int(value) for none, value in zip(never, times, strict=True)],
        [None if none else int(value) for none, value in zip(never, since, strict=True)],
    )
