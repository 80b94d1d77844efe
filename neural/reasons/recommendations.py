"""The recommender's answers: the best products of each customer and the facts that speak for them."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.scores import SCORES
from neural.data.history import Floats, Ints
from neural.data.world import Queries, World
from neural.evaluation.ranking import top_lists
from neural.listing import Listed
from neural.reasons.evidence import gathered, reasons_for
from neural.reasons.market import Market
from neural.reasons.others import Reason, first_order, popular, same_branch

Lists = Callable[[Queries], Iterator[tuple[Ints, Queries, Listed]]]
Answer = tuple[float | None, str]  # score and payload

DIGITS = 4


def recommend(
    world: World,
    lists: Lists,
    as_of: float,
    customers: list[str],
    refused: Mapping[str, set[int]],
) -> pl.DataFrame:
    """Score file of `customers`: the model's list; without a history, what those alike or everyone buys.

    `lists` hold nothing that is not to be offered; `refused` tells the same of those without a history.
    """
    market = Market.of(world, as_of)
    found = world.with_history(as_of)
    wanted = set(customers)
    mine = [index for index, number in enumerate(found.customer) if world.history.customers[number] in wanted]
    queries = found.take(np.asarray(mine, np.int64))
    rows: dict[str, Answer] = {}
    for _, part, listed in lists(queries):
        rows.update(explained(world, market, part, listed))
    rows.update(newcomers(world, market, sorted(wanted.difference(rows)), refused))
    records = [(name, *rows[name]) for name in sorted(wanted)]
    return pl.DataFrame(records, schema=SCORES, orient="row")


def explained(world: World, market: Market, queries: Queries, listed: Listed) -> Iterator[tuple[str, Answer]]:
    """The answers of Q customers with their lists."""
    lists, size = listed.products, listed.products.shape[1]
    reasons = reasons_for(world, market, queries, lists)
    for row, number in enumerate(queries.customer.tolist()):
        mine = reasons[row * size : (row + 1) * size]
        yield world.history.customers[number], _answer(world, "model", lists[row], listed.chances[row], mine)


def newcomers(
    world: World, market: Market, customers: list[str], refused: Mapping[str, set[int]]
) -> Iterator[tuple[str, Answer]]:
    """The answers of customers without a history; see `neural.reasons.newcomers`."""
    words = world.traits.of(customers)
    kept: dict[tuple[tuple[int, ...], frozenset[int]], Answer] = {}
    for name, row in zip(customers, words, strict=True):
        away = frozenset(refused.get(name, ()))
        asked = (tuple(row.tolist()), away)
        if asked not in kept:
            kept[asked] = _newcomer(world, market, row, away)
        yield name, kept[asked]


def _newcomer(world: World, market: Market, words: Ints, refused: frozenset[int]) -> Answer:
    """The answer of one without a history who has these words. (W,) with -1 for none"""
    usual = np.where(world.vocabulary.offered, market.popular, 0) * market.first_orders.ratio
    ratio = market.alike.ratio(words[words >= 0].tolist())
    chances: Floats = usual if ratio is None else usual * ratio
    chances = chances / max(market.active, market.popular.max(initial=0), 1)
    chances[list(refused)] = 0.0
    lists = top_lists(np.where(chances > 0, chances, -np.inf)[None, :], world.config.top_k)
    if not (lists >= 0).any():
        code = "nothing_left" if (usual > 0).any() else "no_sales"
        return None, _dump({"source": None, "items": [], "missing": [{"code": code}]})
    nothing, nobody = np.zeros(lists.shape, bool), np.zeros(1, bool)
    alike = same_branch(market.circles, words[None, :], lists, nothing, nobody)
    reasons = gathered((alike, first_order(market, lists), popular(market, lists)), lists)
    source = "popularity" if ratio is None else "similar_customers"
    return _answer(world, source, lists[0], np.minimum(chances[np.maximum(lists[0], 0)], 1.0), reasons)


def _answer(
    world: World, source: str, products: Ints, scores: npt.NDArray[Any], reasons: list[list[Reason]]
) -> Answer:
    """(K,) products, -1 for none, their scores and reasons."""
    names = world.vocabulary.products
    rounded = np.round(scores.astype(np.float64), DIGITS).tolist()
    items = [
        {"product": names[product], "score": score, "reasons": told}
        for product, score, told in zip(products.tolist(), rounded, reasons, strict=True)
        if product >= 0
    ]
    return items[0]["score"] if items else None, _dump({"source": source, "items": items})


def _dump(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
