"""Ranking metrics over the full catalogue, one list per customer; truth is a set."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural.data.history import Bools, Floats, History, Ints, expand
from neural.data.world import Queries

LENGTH = 20  # of the lists kept: the longest @k
CUT = 10  # the usual @k
LENGTHS = (1, 2, 3, 5, 10, 15, 20)  # of the curve over k
BINS = 10  # of a histogram
DIGITS = 6  # of a curve's coordinates


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
    found = means(query_metrics(lists, truth))
    kept = truth.size > 0
    listed = np.setdiff1d(lists[kept][:, :CUT], [-1])
    found["coverage@10"] = len(listed) / max(candidates, 1) if kept.any() else None
    return {name + suffix: value for name, value in found.items()}


def means(values: dict[str, Floats]) -> dict[str, float | None]:
    """Mean of each metric over the queries that count; None where none does."""
    kept = {name: each[np.isfinite(each)] for name, each in values.items()}
    return {name: float(each.mean()) if len(each) else None for name, each in kept.items()}


def query_metrics(lists: Ints, truth: Truth) -> dict[str, Floats]:
    """Each query's own metrics; NaN for a query without truth. name -> (Q,)"""
    hits, size = hit_matrix(lists, truth), truth.size.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision_at = np.cumsum(hits[:, :CUT], axis=1) / np.arange(1, CUT + 1)
        found = {
            "ndcg@10": ndcg(hits, truth.size, CUT),
            "recall@10": hits[:, :CUT].sum(1) / size,
            "recall@20": hits.sum(1) / size,
            "precision@10": hits[:, :CUT].mean(1),
            "map@10": (precision_at * hits[:, :CUT]).sum(1) / np.minimum(size, CUT),
            "hit@10": hits[:, :CUT].any(1).astype(np.float64),
        }
    return {name: np.where(truth.size > 0, values, np.nan) for name, values in found.items()}


def hit_matrix(lists: Ints, truth: Truth) -> Floats:
    """1 where a listed product is true. (Q, <=20) -> (Q, 20)"""
    padded = np.full((len(lists), LENGTH), -1, np.int64)
    padded[:, : lists.shape[1]] = lists
    return truth.contains(padded).astype(np.float64)


def ndcg(hits: Floats, size: Ints, k: int) -> Floats:
    """Discounted gain of the first `k` over that of the best possible list; NaN without truth. (Q,)"""
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(size, k)]
    found: Floats = np.divide(hits[:, :k] @ discount, ideal, out=np.full(len(hits), np.nan), where=ideal > 0)
    return found


def by_length(lists: Ints, truth: Truth) -> dict[str, list[list[float]]]:
    """NDCG@k and Recall@k as [k, value] for lists of growing length k; [] where no query has truth."""
    kept = truth.size > 0
    if not kept.any():
        return {"ndcg": [], "recall": []}
    hits, size = hit_matrix(lists, truth)[kept], truth.size[kept]
    recall = np.cumsum(hits, axis=1) / size[:, None]
    return {
        "ndcg": [[k, round(float(ndcg(hits, size, k).mean()), DIGITS)] for k in LENGTHS],
        "recall": [[k, round(float(recall[:, k - 1].mean()), DIGITS)] for k in LENGTHS],
    }


def spread_of(values: Floats) -> list[dict[str, float]]:
    """How many queries got which value, in tenths of 0 to 1."""
    edges = np.linspace(0, 1, BINS + 1)
    counts, _ = np.histogram(values[np.isfinite(values)], edges)
    return [
        {
            "from": round(float(edges[i]), DIGITS),
            "to": round(float(edges[i + 1]), DIGITS),
            "count": int(count),
        }
        for i, count in enumerate(counts)
    ]


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
