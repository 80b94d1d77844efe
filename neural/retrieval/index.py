"""One way to ask for the best products, exact or approximate, and the rule that chooses between them.

Approximate is faiss's inverted file (extra `ann`): products fall into cells, and a query looks into the
nearest cells only. Vectors get one more entry that makes all equally long, so that the nearest in angle is
the largest in product (Bachrach et al. 2014). See `benchmarks/retrieval` for what that is worth.
"""

import math
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor

from neural.retrieval.exact import exact_top_k
from neural.retrieval.found import Found, Pairs, ranked

ENOUGH = 400_000  # products from which on cells win, see `benchmarks/retrieval`
CELLS = 4.0  # times the root of the number of products
SHARE = 0.05  # of the cells that a query looks into
SAMPLE = 64  # products a cell that its centre is learnt from
SEED = 0


class Index(Protocol):
    def search(self, queries: Tensor, k: int, pairs: Pairs | None = None) -> Found:
        """The k best products of each query. (Q, D) -> (Q, k)"""


class ExactIndex:
    def __init__(self, products: Tensor, allowed: Tensor | None = None) -> None:
        self.products, self.allowed = products, allowed

    def search(self, queries: Tensor, k: int, pairs: Pairs | None = None) -> Found:
        return exact_top_k(queries, self.products, k, pairs=pairs, allowed=self.allowed)


class CellIndex:
    """Approximate by the vectors; what the pairs add is exact.

    `share` of the cells is looked into: more finds more of the true best products, and takes longer.
    """

    def __init__(self, products: Tensor, allowed: Tensor | None = None, share: float = SHARE) -> None:
        import faiss

        self.products, self.allowed = products, allowed
        self.numbers = torch.arange(len(products)) if allowed is None else torch.nonzero(allowed)[:, 0]
        vectors = lengthened(products[self.numbers])
        cells = max(1, min(round(CELLS * math.sqrt(len(vectors))), len(vectors) // 40))
        self._centres = faiss.IndexFlatIP(vectors.shape[1])
        self._cells: Any = faiss.IndexIVFFlat(
            self._centres, vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT
        )
        self._cells.cp.seed, self._cells.cp.spherical = SEED, True
        self._cells.cp.max_points_per_centroid = SAMPLE
        self._cells.train(vectors.numpy())
        self._cells.add(vectors.numpy())
        self.look_into(share)

    def look_into(self, share: float) -> None:
        """Set the share of the cells that a query looks into."""
        self._cells.nprobe = max(1, round(share * self._cells.nlist))

    def search(self, queries: Tensor, k: int, pairs: Pairs | None = None) -> Found:
        """As `Index.search`; a query whose cells hold too few products gets a shorter list."""
        asked = torch.nn.functional.pad(queries, (0, 1)).contiguous()
        more = 0 if pairs is None else _most_lowered(pairs, len(queries))
        scores, place = self._cells.search(asked.numpy(), min(k + more, len(self.numbers)))
        found = torch.from_numpy(place)  # (Q, n), -1 at the end of a row that ran short
        product, score = (
            torch.where(found >= 0, self.numbers[found.clamp(min=0)], -1),
            torch.from_numpy(scores),
        )
        if pairs is None or not len(pairs):
            return ranked(product, score, k)
        if self.allowed is not None:
            pairs = pairs.take(self.allowed[pairs.product])
        exact = (queries[pairs.query] * self.products[pairs.product]).sum(1) + pairs.bonus
        keys = torch.arange(len(queries))[:, None] * len(self.products) + product
        known = torch.isin(keys, pairs.query * len(self.products) + pairs.product)
        found_alone = ranked(product.masked_fill(known, -1), score, k)
        return ranked(*_beside(found_alone, pairs, exact), k)


def make_index(products: Tensor, allowed: Tensor | None = None) -> Index:
    """Exact up to `ENOUGH` allowed products and where faiss is not installed."""
    count = len(products) if allowed is None else int(allowed.sum())
    if count < ENOUGH or products.device.type != "cpu" or find_spec("faiss") is None:
        return ExactIndex(products, allowed)
    return CellIndex(products, allowed)


def lengthened(vectors: Tensor) -> Tensor:
    """One more entry, by which all become as long as the longest. (P, D) -> (P, D + 1)"""
    square = vectors.square().sum(1)  # (P,)
    return torch.cat([vectors, (square.max() - square).clamp(min=0).sqrt()[:, None]], dim=1)


def _most_lowered(pairs: Pairs, queries: int) -> int:
    """Most pairs of one query that may fall out of its list for their bonus is negative."""
    lowered = torch.bincount(pairs.query[pairs.bonus < 0], minlength=queries)
    return int(lowered.max()) if len(lowered) else 0


def _beside(found: Found, pairs: Pairs, score: Tensor) -> tuple[Tensor, Tensor]:
    """Candidates of each query, those of its pairs among them. 2 x (Q, n)"""
    size = torch.bincount(pairs.query, minlength=len(found.products))
    place = torch.arange(len(pairs)) - (size.cumsum(0) - size)[pairs.query]
    products = torch.full((len(size), int(size.max())), -1)
    scores = torch.full(products.shape, -torch.inf)
    products[pairs.query, place], scores[pairs.query, place] = pairs.product, score
    return torch.cat([found.products, products], dim=1), torch.cat([found.scores, scores], dim=1)
