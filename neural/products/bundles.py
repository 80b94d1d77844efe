"""Bundles: products that stand in one order more often than chance would put them there."""

from dataclasses import dataclass

import numpy as np

from neural.data.history import Bools, Floats, Ints
from neural.products.baskets import Baskets

LEAST_ORDERS = 3  # with both products, before that counts as evidence
SURPRISE = 4.0  # half the Poisson deviance: chance does as much in about one pair of 200


@dataclass(frozen=True)
class Bundles:
    """Pairs, by product, the strongest first. (R,) each"""

    product: Ints
    other: Ints
    orders: Ints  # with both
    lift: Floats  # how many times as often as if the two were bought independently


def find_bundles(baskets: Baskets, begin: int, end: int, offered: Bools, most: int) -> Bundles:
    """Find at most `most` bundles of each product `begin` … `end` - 1 with products that are on sale."""
    together = baskets.same_order(begin, end)
    row = np.repeat(np.arange(end - begin), np.diff(together.indptr))
    other, orders = together.indices.astype(np.int64), together.data.astype(np.int64)
    kept = (orders >= LEAST_ORDERS) & (other != row + begin) & offered[other]
    row, other, orders = row[kept], other[kept], orders[kept]
    by_chance = baskets.orders[row + begin] / max(baskets.total, 1) * baskets.orders[other]
    lift = orders / by_chance
    surprise = orders * np.log(lift) - (orders - by_chance)
    unlikely = (lift > 1) & (surprise >= SURPRISE)
    best = top_of_each(row[unlikely], surprise[unlikely], most)
    row, other, orders, lift = (values[unlikely][best] for values in (row, other, orders, lift))
    return Bundles(row + begin, other, orders, lift)


def top_of_each(row: Ints, strength: Floats, most: int) -> Ints:
    """Indices of the `most` strongest entries of each row, by row, the strongest first."""
    order = np.lexsort((np.arange(len(row)), -strength, row))
    start = np.searchsorted(row[order], row[order])
    return order[np.arange(len(order)) - start < most]
