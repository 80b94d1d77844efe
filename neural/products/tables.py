"""The side file of relations: one row for each product, with its substitutes and bundles."""

import json
from collections import defaultdict
from typing import Any

import polars as pl

from handoff.scores import RELATIONS
from neural.data.world import World
from neural.products.baskets import Baskets
from neural.products.bundles import find_bundles
from neural.products.likeness import Likeness
from neural.products.substitutes import find_substitutes, reasons

BLOCK = 128  # products whose pairs are held at once: of 100,000 products each may have 10,000
MOST = 10  # substitutes, and bundles, of each product

Entries = dict[int, list[dict[str, Any]]]


def relations_table(world: World, as_of: float) -> pl.DataFrame:
    """Every product of the vocabulary with what was bought before `as_of`; RELATIONS."""
    baskets, likeness = Baskets(world, as_of), Likeness(world.vocabulary)
    products, offered = world.vocabulary.products, world.vocabulary.offered
    substitutes: Entries = defaultdict(list)
    bundles: Entries = defaultdict(list)
    for begin in range(0, len(products), BLOCK):
        end = min(begin + BLOCK, len(products))
        pairs = find_substitutes(baskets, likeness, begin, end, offered, MOST)
        for index, (product, other) in enumerate(zip(pairs.product, pairs.other, strict=True)):
            told = reasons(likeness, pairs, index)
            substitutes[int(product)].append({"product": products[other], "reasons": told})
        found = find_bundles(baskets, begin, end, offered, MOST)
        for product, other, orders, lift in zip(
            found.product.tolist(), found.other.tolist(), found.orders.tolist(), found.lift, strict=True
        ):
            of = int(baskets.orders[product])
            entry = {"product": products[other], "orders": orders, "of": of, "lift": round(float(lift), 2)}
            bundles[product].append(entry)
    rows = [
        (name, _payload(baskets, likeness, number, substitutes[number], bundles[number]))
        for number, name in enumerate(products)
    ]
    return pl.DataFrame(rows, schema=RELATIONS, orient="row")


def _payload(
    baskets: Baskets,
    likeness: Likeness,
    number: int,
    substitutes: list[dict[str, Any]],
    bundles: list[dict[str, Any]],
) -> str:
    known = {
        "name": bool(likeness.named[number]),
        "category": bool(likeness.category[number]),
        "price": bool(likeness.price[number] > 0),
    }
    # A model without a text encoder knows a product by its category and price alone.
    read = known | {"name": known["name"] and baskets.world.vocabulary.product_text.shape[1] > 0}
    payload = {
        "offered": bool(baskets.world.vocabulary.offered[number]),
        "orders": int(baskets.orders[number]),
        "customers": int(baskets.customers[number]),
        "known_by": [name for name, given in known.items() if given],
        "ranked_by": [name for name, given in read.items() if given],
        "substitutes": substitutes,
        "bundles": bundles,
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
