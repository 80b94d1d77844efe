"""Substitutes: products much alike that customers buy instead of each other, not beside each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neural.data.history import Bools, Floats, Ints
from neural.products.baskets import Baskets, at
from neural.products.bundles import top_of_each
from neural.products.likeness import Likeness

LEAST_ALIKE = 0.35
MOST_TOGETHER = 0.25  # of the rarer product's orders, in which the other one stands too
LEAST_CUSTOMERS = 3  # who bought both, before that is told
NEAR_PRICE = 1.25  # ratio of two prices that are called near
MOST_WORDS = 4


@dataclass(frozen=True)
class Substitutes:
    """Pairs, by product, the best first. (R,) each"""

    product: Ints
    other: Ints
    customers: Ints  # who bought both
    orders: Ints  # with both
    likeness: Floats


def find_substitutes(
    baskets: Baskets, likeness: Likeness, begin: int, end: int, offered: Bools, most: int
) -> Substitutes:
    """Find at most `most` substitutes of each product `begin` … `end` - 1 among those that are on sale.

    Of two that are equally alike the one comes first that more of the same customers buy, and the one that
    stands less often in the same order.
    """
    alike = likeness.pairs(begin, end)
    kept = (alike.likeness >= LEAST_ALIKE) & offered[alike.other]
    row, other, close = alike.row[kept], alike.other[kept], alike.likeness[kept]
    orders = at(baskets.same_order(begin, end), row, other)
    rarer = np.minimum(baskets.orders[row + begin], baskets.orders[other])
    together = orders / np.maximum(rarer, 1)
    apart = together <= MOST_TOGETHER
    row, other, orders = row[apart], other[apart], orders[apart]
    close, together = close[apart], together[apart]
    customers = at(baskets.same_customer(begin, end), row, other)
    usual = np.sqrt(baskets.customers[row + begin] * np.maximum(baskets.customers[other], 1))
    strength = close * (1 + customers / np.maximum(usual, 1)) * (1 - together)
    best = top_of_each(row, strength, most)
    return Substitutes(row[best] + begin, other[best], customers[best], orders[best], close[best])


def reasons(likeness: Likeness, found: Substitutes, index: int) -> list[dict[str, Any]]:
    """The facts that speak for one pair; see `handoff.scores`."""
    one, other = int(found.product[index]), int(found.other[index])
    told: list[dict[str, Any]] = []
    shared = [word for word in likeness.words[one] if word in set(likeness.words[other])]
    if shared:
        told.append({"code": "similar_name", "words": shared[:MOST_WORDS]})
    category = int(likeness.category[one])
    if category and category == likeness.category[other]:
        told.append({"code": "same_category", "category": likeness.vocabulary.categories[category]})
    prices = float(likeness.price[one]), float(likeness.price[other])
    if min(prices) > 0 and max(prices) <= NEAR_PRICE * min(prices):
        told.append({"code": "near_price", "price": prices[1], "beside": prices[0]})
    customers = int(found.customers[index])
    if customers >= LEAST_CUSTOMERS:
        told.append({"code": "instead", "customers": customers, "orders": int(found.orders[index])})
    return told
