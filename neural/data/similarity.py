"""Which products the same customers buy: similarities of products, as known at a moment."""

import numpy as np
from scipy import sparse

from neural.data.history import Floats, expand
from neural.data.world import Queries, World

KNN_DECAY = 90.0  # days after which a purchase weighs 1/e
NEIGHBOURS = 100  # kept of each product
BLOCK = 512  # products whose similarities are held at once
BM25_K1, BM25_B = 1.2, 0.75
ANCHOR_DAYS = 28.0  # between the moments at which training looks at similarities
MOST_ANCHORS = 24  # before the first cut-off; a longer history sets them wider apart


class Neighbours:
    """How close each product is to what the customer bought, by similarities known at an anchor.

    Anchors are the cut-offs themselves and moments evenly spaced before the first of them. A query reads
    the newest anchor at or before its time, so nothing later enters; before the first anchor all is 0.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        first = min(world.cuts)
        step = max(ANCHOR_DAYS, (first - world.start) / MOST_ANCHORS)
        before = np.arange(first - step, world.start, -step)
        self.anchors = np.unique(np.concatenate([before, world.cuts]))
        self._similar: dict[float, sparse.csr_array] = world.worked_out.setdefault("similar", {})

    def closeness(self, queries: Queries) -> sparse.csr_array:
        """log1p of ten times the score over the query's mean score; nothing where none is similar. (Q, P)

        float32; only what is above 0 is held, the products of a row in any order.
        """
        counts = own_counts(self.world, queries, KNN_DECAY).astype(np.float32)
        number = np.searchsorted(self.anchors, queries.time, side="right") - 1
        parts = [self._close(counts[number == anchor], int(anchor)) for anchor in np.unique(number)]
        if len(parts) < 2:
            return parts[0] if parts else counts
        place = np.argsort(np.argsort(number, kind="stable"))  # of each query among the joined parts
        return sparse.csr_array(sparse.vstack(parts, format="csr")[place])

    def _close(self, counts: sparse.csr_array, anchor: int) -> sparse.csr_array:
        """Closeness of queries, (Q, P) `counts`, that all read one anchor, or none (-1). (Q, P)"""
        found = counts * np.float32(0) if anchor < 0 else _relative(counts @ self._similar_at(anchor))
        found.eliminate_zeros()
        return found

    def anchor(self, time: float) -> float:
        """The newest anchor at or before `time`; minus infinity where there is none."""
        number = int(np.searchsorted(self.anchors, time, side="right")) - 1
        return float(self.anchors[number]) if number >= 0 else -np.inf

    def similar(self, time: float) -> sparse.csr_array | None:
        """What is known at `time` of which products are alike; None before the first anchor. (P, P)"""
        anchor = int(np.searchsorted(self.anchors, time, side="right")) - 1
        return self._similar_at(anchor) if anchor >= 0 else None

    def _similar_at(self, anchor: int) -> sparse.csr_array:
        moment = float(self.anchors[anchor])
        if moment not in self._similar:
            self._similar[moment] = similar_products(self.world.everyone, moment).astype(np.float32)
        return self._similar[moment]


def _relative(scores: sparse.csr_array) -> sparse.csr_array:
    """Scores beside the row's usual one: a scale that does not depend on the size of the shop."""
    row = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    total = np.bincount(row, scores.data, minlength=scores.shape[0])
    usual = total / np.maximum(np.bincount(row, scores.data > 0, minlength=scores.shape[0]), 1)
    data = np.log1p(10 * scores.data / np.maximum(usual, 1e-30)[row]).astype(np.float32)
    return sparse.csr_array((data, scores.indices, scores.indptr), shape=scores.shape)


def similar_products(world: World, moment: float) -> sparse.csr_array:
    """The strongest similarities of each product, from purchases before `moment`. (P, P)"""
    weighted = bm25(own_counts(world, world.with_history(moment), KNN_DECAY))
    transposed = weighted.T.tocsr()
    blocks = range(0, transposed.shape[0], BLOCK)
    parts = [_strongest((transposed[at : at + BLOCK] @ weighted).tocsr(), NEIGHBOURS) for at in blocks]
    if not parts:
        return sparse.csr_array((0, 0))
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


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
