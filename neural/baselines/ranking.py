"""Simple recommenders: functions that give each query a score for every product, (Q, P)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neural.data.similarity import KNN_DECAY, own_counts, similar_products
from neural.data.world import Queries, World

Scores = npt.NDArray[Any]
Ranker = Callable[[Queries], Scores]

PERSONAL_DECAY = 180.0  # days


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
    similar = similar_products(world, cutoff)

    def scores(queries: Queries) -> Scores:
        return np.asarray((own_counts(world, queries, KNN_DECAY) @ similar).todense())

    return scores


RANKERS: dict[str, Callable[[World, float], Ranker]] = {
    "personal_top": personal_top,
    "popularity": popularity,
    "item_knn": item_knn,
}
