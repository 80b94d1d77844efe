"""Simple recommenders: functions that give each query a score for every product, (Q, P)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neural.data.history import Floats, expand
from neural.data.world import Queries, World

Scores = npt.NDArray[Any]
Ranker = Callable[[Queries], Scores]

PERSONAL_DECAY = 180.0  # days
KNN_DECAY = 90.0
KNN_NEIGHBOURS = 100
BLOCK = 512  # products whose similarities are held at once
BM25_K1, BM25_B = 1.2, 0.75


def popularity(world: World, cutoff: float) -> Ranker:
    """Sales of the last 28 days, the same for everyone."""
    sold = world.trends.sales(int(np.floor(cutoff)), 28).astype(np.float64)

    def scores(queries: Queries) -> Scores:
        return np.asarray(np.tile(sold, (len(queries), 1)))

    return scores


def personal_top(world: World, cutoff: float) -> Ranker:
    """The customer's own most frequent products, older purchases weighing less; then what is popular."""
    popular = popularity(world, cutoff)

    def scores(queries: Queries) -> Scores:
        filler = popular(queries)
        own = own_counts(world, queries, PERSONAL_DECAY).toarray()
        return np.asarray(own + 1e-4 * filler / max(filler.max(initial=0), 1))

    return scores


def item_knn(world: World, cutoff: float) -> Ranker:
    """Products bought by the same customers: item-item similarity of BM25-weighted decayed counts."""
    everyone = world.with_history(cutoff)
    weighted = bm25(own_counts(world, everyone, KNN_DECAY))
    transposed = weighted.T.tocsr()
    blocks = range(0, transposed.shape[0], BLOCK)
    parts = [_strongest((transposed[at : at + BLOCK] @ weighted).tocsr(), KNN_NEIGHBOURS) for at in blocks]
    similar = sparse.vstack(parts, format="csr")

    def scores(queries: Queries) -> Scores:
        return np.asarray((own_counts(world, queries, KNN_DECAY) @ similar).todense())

    return scores


def own_counts(world: World, queries: Queries, decay: float) -> sparse.csr_array:
    """Count of each customer's purchases of each product before the query, decayed by age. (Q, P)"""
    own, history = world.own, world.history
    start = np.searchsorted(own.visit, history.visit_start[queries.customer])
    stop = np.searchsorted(own.visit, history.before(queries.customer, queries.time))
    query, line = expand(start, stop)
    weight: Floats = np.exp(-(queries.time[query] - own.time[line]) / decay)
    shape = (len(queries), len(world.vocabulary.products))
    return sparse.coo_array((weight, (query, own.product[line])), shape=shape).tocsr()


def bm25(counts: sparse.csr_array) -> sparse.csr_array:
    """Weight counts (customers, products): saturating in the count, less for rare buyers' long lists."""
    customers = counts.shape[0]
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log((customers + 1) / (1 + seen))
    length = np.asarray(counts.sum(axis=1)).ravel()
    norm = 1 - BM25_B + BM25_B * length / max(length.mean() if customers else 0.0, 1e-9)
    row = np.repeat(np.arange(customers), np.diff(counts.indptr))
    data = counts.data * (BM25_K1 + 1) / (BM25_K1 * norm[row] + counts.data) * idf[counts.indices]
    return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def _strongest(similarity: sparse.csr_array, keep: int) -> sparse.csr_array:
    """Keep the `keep` largest entries of each row."""
    kept = []
    for row in range(similarity.shape[0]):
        begin, end = similarity.indptr[row], similarity.indptr[row + 1]
        if end - begin <= keep:
            kept.append(np.arange(begin, end))
        else:
            order = np.argpartition(-similarity.data[begin:end], keep)[:keep]
            kept.append(begin + np.sort(order))
    index = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    pointer = np.concatenate([[0], np.cumsum([len(part) for part in kept])])
    shape = similarity.shape
    return sparse.csr_array((similarity.data[index], similarity.indices[index], pointer), shape=shape)


RANKERS: dict[str, Callable[[World, float], Ranker]] = {
    "personal_top": personal_top,
    "popularity": popularity,
    "item_knn": item_knn,
}
