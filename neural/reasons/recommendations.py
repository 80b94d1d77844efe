"""The recommender's answers: the best products of each customer and the facts that speak for them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from handoff.scores import SCORES
from neural.baselines.ranking import own_counts
from neural.data.history import Ints
from neural.data.repeats import Repeats
from neural.data.world import Queries, World
from neural.evaluation.ranking import top_lists

Reason = dict[str, Any]
Chances = Callable[[Queries], Iterator[tuple[Ints, Queries, npt.NDArray[Any]]]]

MOST_REASONS = 4
LEAST_CUSTOMERS = 3  # who bought both products, before that counts as evidence
NEWEST_PRODUCTS = 200  # of a customer, that count for what is bought together


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
    def owners(self) -> sparse.csc_array:
        """Which customers ever bought which product, their newest products only. (customers, P)"""
        counts = own_counts(self.world, self.world.with_history(self.as_of), 180.0)
        for row in range(counts.shape[0]):
            part = slice(counts.indptr[row], counts.indptr[row + 1])
            if part.stop - part.start > NEWEST_PRODUCTS:
                weakest = np.argpartition(-counts.data[part], NEWEST_PRODUCTS)[NEWEST_PRODUCTS:]
                counts.data[part.start + weakest] = 0
        counts.eliminate_zeros()
        counts.data = np.ones_like(counts.data, dtype=np.int32)
        return counts.tocsc()

    def bought_with(self, products: Ints) -> npt.NDArray[np.int32]:
        """Number of customers who bought each of `products` and each other product. (len, P)"""
        return np.asarray((self.owners[:, products].T @ self.owners).todense())


def recommend(world: World, chances: Chances, as_of: float, customers: list[str]) -> pl.DataFrame:
    """Score file of `customers`: the model's list, or what is popular for a customer without a history."""
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
    popular = _popular(world, market)
    records = [(name, *rows.get(name, popular)) for name in sorted(wanted)]
    return pl.DataFrame(records, schema=SCORES, orient="row")


def _explain(
    world: World, market: Market, queries: Queries, lists: Ints, chances: npt.NDArray[Any]
) -> Iterator[tuple[str, float | None, str]]:
    own = world.own.before(queries.customer, queries.time)
    start = np.searchsorted(own.query, np.arange(len(queries) + 1))
    products, place = np.unique(lists[lists >= 0], return_inverse=True)
    together = market.bought_with(products)
    position = np.full(lists.shape, -1, np.int64)
    position[lists >= 0] = place
    for row in range(len(queries)):
        history = slice(start[row], start[row + 1])
        items = [
            {
                "product": world.vocabulary.products[product],
                "score": round(float(chances[row, product]), 4),
                "reasons": _reasons(world, market, own, history, product, together[position[row, column]]),
            }
            for column, product in enumerate(lists[row])
            if product >= 0
        ]
        score = items[0]["score"] if items else None
        name = world.history.customers[queries.customer[row]]
        yield name, score, _dump({"source": "model", "items": items})


def _reasons(
    world: World, market: Market, own: Repeats, mine: slice, product: int, together: npt.NDArray[np.int32]
) -> list[Reason]:
    """At most four facts, the customer's own first."""
    names, bought = world.vocabulary.products, own.product[mine]
    found: list[Reason] = []
    for index in np.flatnonzero(bought == product):
        times, span = int(own.times[mine][index]), float(own.span[mine][index])
        gap = round(span / (times - 1), 1) if times > 1 and span > 0 else None
        since = int(own.days_since[mine][index])
        found.append({"code": "repeat", "times": times, "usual_gap_days": gap, "days_since": since})
    others = bought[bought != product]
    if len(others):
        best = int(others[np.argmax(together[others])])
        if together[best] >= LEAST_CUSTOMERS:
            found.append({"code": "bought_with", "product": names[best], "customers": int(together[best])})
    category = world.vocabulary.product_category[product]
    if category:
        same = world.vocabulary.product_category[bought] == category
        if same.any():
            times = int(own.times[mine][same].sum())
            found.append(
                {"code": "category", "category": world.vocabulary.categories[category], "times": times}
            )
    if market.buyers[product]:
        found.append({"code": "popular", "customers": int(market.buyers[product]), "days": 28})
    return [{"direction": "up", **reason} for reason in found[:MOST_REASONS]]


def _popular(world: World, market: Market) -> tuple[float | None, str]:
    """What to offer a customer nobody knows: the share of active customers who bought it lately."""
    buyers = np.where(
        world.vocabulary.offered & (market.buyers > 0), market.buyers.astype(np.float64), -np.inf
    )
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
