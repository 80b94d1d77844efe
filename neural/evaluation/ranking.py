"""Ranking metrics over the full catalogue, one list per customer; truth is a set."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural.data.history import Bools, Floats, History, Ints, expand
from neural.data.world import Queries

LENGTH = 20  # of the lists kept: the longest @k


@dataclass(frozen=True)
class Truth:
    """The products each query's customer bought in its window: R pairs sorted by query."""

    query: Ints  # (R,)
    product: Ints  # (R,)
    size: Ints  # (Q,) number of products of each query
    products: int  # P

    @classmethod
    def of(cls, query: Ints, product: Ints, queries: int, products: int) -> "Truth":
        pairs = np.unique(query * products + product)
        return cls(
            pairs // products, pairs % products, np.bincount(pairs // products, minlength=queries), products
        )

    def contains(self, lists: Ints) -> Bools:
        """Whether each listed product is true; -1 (nothing listed) never is. (Q, K) -> (Q, K)"""
        keys = np.arange(len(lists))[:, None] * self.products + lists
        return np.isin(keys, self.query * self.products + self.product) & (lists >= 0)

    def take(self, index: Ints) -> "Truth":
        """The truth of some queries, numbered anew."""
        start = np.searchsorted(self.query, np.arange(len(self.size) + 1))
        query, row = expand(start[index], start[index + 1])
        return Truth(query, self.product[row], self.size[index], self.products)


def bought_between(history: History, queries: Queries, stop: Floats, products: int) -> Truth:
    """The set of products bought from each query's time on, before `stop`."""
    first = history.outcomes_before(queries.customer, queries.time)
    last = history.outcomes_before(queries.customer, np.maximum(stop, queries.time))
    query, place = expand(first, last)
    visit = history.outcomes[place]
    owner, line = expand(history.line_start[visit], history.line_start[visit + 1])
    return Truth.of(query[owner], history.line_product[line], len(queries), products)


def top_lists(scores: npt.NDArray[np.floating], length: int = LENGTH) -> Ints:
    """Indices of the best scores of each row, best first; -1 where a score is -inf. (Q, P) -> (Q, length)

    Of equal scores the lower index comes first, at the end of the list too.
    """
    length = min(length, scores.shape[1])
    if length == 0:
        return np.zeros((len(scores), 0), np.int64)
    best = np.sort(np.argpartition(-scores, length - 1, axis=1)[:, :length], axis=1)
    last = np.take_along_axis(scores, best, axis=1).min(axis=1)  # (Q,)
    crowded = np.flatnonzero(~np.isneginf(last) & ((scores >= last[:, None]).sum(axis=1) > length))
    for row in crowded:  # argpartition takes any of those that tie at the edge
        best[row] = np.sort(np.argsort(-scores[row], kind="stable")[:length])
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    lists = np.take_along_axis(best, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(values, order, axis=1)), -1, lists).astype(np.int64)


def ranking_metrics(lists: Ints, truth: Truth, candidates: int, suffix: str = "") -> dict[str, float | None]:
    """Means over the queries that have any truth; None where no query has.

    lists (Q, <=20) best first, -1 for no product; `candidates` is the size of the catalogue ranked.
    """
    kept = truth.size > 0
    names = ("ndcg@10", "recall@10", "recall@20", "precision@10", "map@10", "hit@10", "coverage@10")
    if not kept.any():
        return {name + suffix: None for name in names}
    padded = np.full((len(lists), LENGTH), -1, np.int64)
    padded[:, : lists.shape[1]] = lists
    hits = truth.contains(padded)[kept].astype(np.float64)  # (Q', 20)
    size = truth.size[kept].astype(np.float64)
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(size, 10).astype(int)]
    precision_at = np.cumsum(hits[:, :10], axis=1) / np.arange(1, 11)
    values = (
        (hits[:, :10] @ discount / ideal).mean(),
        (hits[:, :10].sum(1) / size).mean(),
        (hits.sum(1) / size).mean(),
        hits[:, :10].mean(),
        ((precision_at * hits[:, :10]).sum(1) / np.minimum(size, 10)).mean(),
        hits[:, :10].any(1).mean(),
        len(np.setdiff1d(padded[kept][:, :10], [-1])) / max(candidates, 1),
    )
    return {name + suffix: float(value) for name, value in zip(names, values, strict=True)}


def without_own(truth: Truth, own_query: Ints, own_product: Ints) -> Truth:
    """Keep of the truth what the customer had not bought before."""
    keys = truth.query * truth.products + truth.product
    new = keys[~np.isin(keys, own_query * truth.products + own_product)]
    return Truth.of(new // truth.products, new % truth.products, len(truth.size), truth.products)


def join_lists(parts: Iterable[tuple[Ints, Ints]], queries: int) -> Ints:
    """Put lists of batches, (indices, lists), back in the order of the queries."""
    joined = np.full((queries, LENGTH), -1, np.int64)
    for index, lists in parts:
        joined[index, : lists.shape[1]] = lists
    return joined
