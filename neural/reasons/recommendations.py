"""The recommender's answers: the best products of each customer and the facts that speak for them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.scores import SCORES
from neural.data.history import Floats, Ints
from neural.data.world import Queries, World
from neural.evaluation.ranking import top_lists
from neural.reasons.market import Market

Reason = dict[str, Any]
Chances = Callable[[Queries], Iterator[tuple[Ints, Queries, npt.NDArray[Any]]]]

MOST_REASONS = 4
LEAST_CUSTOMERS = 3  # who bought both products, before that counts as evidence


@dataclass(frozen=True)
class Bought:
    """What one customer bought before `as_of`: lines by visit, and each different product once."""

    visit: Ints  # (L,)
    category: Ints  # (L,)
    product: Ints  # (R,)
    times: Ints  # (R,) see Repeats
    days_since: Floats  # (R,)
    span: Floats  # (R,)


def bought_by(world: World, queries: Queries) -> Iterator[Bought]:
    """Collect every query's own purchases."""
    own, every = world.own.before(queries.customer, queries.time), world.own
    row = np.searchsorted(own.query, np.arange(len(queries) + 1))
    first = np.searchsorted(every.visit, world.history.visit_start[queries.customer])
    last = np.searchsorted(every.visit, world.history.before(queries.customer, queries.time))
    for index in range(len(queries)):
        lines, mine = slice(first[index], last[index]), slice(row[index], row[index + 1])
        category = world.vocabulary.product_category[every.product[lines]]
        yield Bought(
            every.visit[lines],
            category,
            own.product[mine],
            own.times[mine],
            own.days_since[mine],
            own.span[mine],
        )


def recommend(
    world: World, chances: Chances, as_of: float, customers: list[str], refused: Mapping[str, set[int]]
) -> pl.DataFrame:
    """Score file of `customers`: the model's list, or what is popular for a customer without a history.

    `chances` are 0 for what is not to be offered; `refused` holds the same of those without a history.
    """
    market = Market(world, as_of)
    found = world.with_history(as_of)
    wanted = set(customers)
    mine = [index for index, number in enumerate(found.customer) if world.history.customers[number] in wanted]
    queries = found.take(np.asarray(mine, np.int64))
    rows: dict[str, tuple[float | None, str]] = {}
    for _, part, values in chances(queries):
        lists = top_lists(np.where(values > 0, values, -np.inf), world.config.top_k)
        for name, score, payload in _explain(world, market, part, lists, values):
            rows[name] = (score, payload)
    popular = _popular(world, market, set())
    for name in wanted.intersection(refused).difference(rows):
        rows[name] = _popular(world, market, refused[name])
    records = [(name, *rows.get(name, popular)) for name in sorted(wanted)]
    return pl.DataFrame(records, schema=SCORES, orient="row")


def _explain(
    world: World, market: Market, queries: Queries, lists: Ints, chances: npt.NDArray[Any]
) -> Iterator[tuple[str, float | None, str]]:
    products, place = np.unique(lists[lists >= 0], return_inverse=True)
    together = market.bought_with(products)
    position = np.full(lists.shape, -1, np.int64)
    position[lists >= 0] = place
    for row, bought in enumerate(bought_by(world, queries)):
        items = [
            {
                "product": world.vocabulary.products[product],
                "score": round(float(chances[row, product]), 4),
                "reasons": _reasons(world, market, bought, product, together[position[row, column]]),
            }
            for column, product in enumerate(lists[row])
            if product >= 0
        ]
        score = items[0]["score"] if items else None
        name = world.history.customers[queries.customer[row]]
        yield name, score, _dump({"source": "model", "items": items})


def _reasons(
    world: World, market: Market, bought: Bought, product: int, together: tuple[Ints, Ints]
) -> list[Reason]:
    """At most four facts, the customer's own first. `together` is the product's row of `bought_with`."""
    found = [*_repeat(bought, product), *_bought_with(world, market, bought, product, together)]
    category = world.vocabulary.product_category[product]
    visits = len(np.unique(bought.visit[bought.category == category])) if category else 0
    if visits:
        name = world.vocabulary.categories[category]
        found.append({"code": "category", "category": name, "times": visits})
    if market.buyers[product]:
        found.append({"code": "popular", "customers": int(market.buyers[product]), "days": 28})
    return [{"direction": "up", **reason} for reason in found[:MOST_REASONS]]


def _repeat(bought: Bought, product: int) -> Iterator[Reason]:
    for index in np.flatnonzero(bought.product == product):
        times, span = int(bought.times[index]), float(bought.span[index])
        gap = round(span / (times - 1), 1) if times > 1 and span > 0 else None
        since = int(bought.days_since[index])
        yield {"code": "repeat", "times": times, "usual_gap_days": gap, "days_since": since}


def _bought_with(
    world: World, market: Market, bought: Bought, product: int, together: tuple[Ints, Ints]
) -> Iterator[Reason]:
    """The customer's own product that most of the product's buyers bought too."""
    others = bought.product[bought.product != product]
    shared, _, there = np.intersect1d(others, together[0], assume_unique=True, return_indices=True)
    if not len(shared):
        return
    best = int(shared[np.argmax(together[1][there])])
    customers = market.customers_of_both(product, best)
    if customers >= LEAST_CUSTOMERS:
        yield {"code": "bought_with", "product": world.vocabulary.products[best], "customers": customers}


def _popular(world: World, market: Market, refused: set[int]) -> tuple[float | None, str]:
    """What to offer a customer nobody knows: the share of active customers who bought it lately."""
    buyers = np.where(
        world.vocabulary.offered & (market.buyers > 0), market.buyers.astype(np.float64), -np.inf
    )
    buyers[list(refused)] = -np.inf
    items = [
        {
            "product": world.vocabulary.products[product],
            "score": round(min(1.0, float(buyers[product]) / max(market.active, 1)), 4),
            "reasons": [
                {"code": "popular", "direction": "up", "customers": int(buyers[product]), "days": 28}
            ],
        }
        for product in top_lists(buyers[None, :], world.config.top_k)[0]
        if product >= 0
    ]
    score: float | None = items[0]["score"] if items else None
    return score, _dump({"source": "popularity", "items": items})


def _dump(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
