"""What retrieval is given beside vectors, and what it finds."""

from dataclasses import dataclass, fields
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

Candidates = tuple[Tensor, Tensor, Tensor]  # query, product and score, 3 x (n,), sorted by query


@dataclass(frozen=True)
class Pairs:
    """What a query's score of a product has beside their vectors' product: R different pairs.

    A bonus of -inf takes the product off the query's list.
    """

    query: Tensor  # (R,) int64, sorted
    product: Tensor  # (R,) int64
    bonus: Tensor  # (R,) float32

    def __len__(self) -> int:
        return len(self.query)

    def take(self, index: Tensor | slice) -> Self:
        return type(self)(*(getattr(self, item.name)[index] for item in fields(self)))

    def of_queries(self, start: int, stop: int) -> Self:
        """The pairs of queries start:stop, which are numbered from 0 then."""
        edges = torch.searchsorted(self.query, torch.tensor([start, stop], device=self.query.device))
        part = self.take(slice(int(edges[0]), int(edges[1])))
        return type(self)(part.query - start, part.product, part.bonus)

    def among(self, allowed: Tensor, products: int) -> Self:
        """The pairs of `allowed` products, (A,) sorted, which are numbered along `allowed` then."""
        place = torch.full((products,), -1, dtype=torch.int64, device=self.product.device)
        place[allowed] = torch.arange(len(allowed), device=allowed.device)
        kept = torch.nonzero(place[self.product] >= 0)[:, 0]
        part = self.take(kept)
        return type(self)(part.query, place[part.product], part.bonus)


@dataclass(frozen=True)
class Found:
    """Best products first; of equal scores the lower number comes first."""

    products: Tensor  # (Q, k) int64, -1 where there is no further product
    scores: Tensor  # (Q, k) float32, -inf there
    log_norm: Tensor | None = None  # (Q,) logsumexp of a query's scores of all products, where asked for

    @classmethod
    def nothing(cls, queries: int, k: int, like: Tensor) -> "Found":
        """Lists of nobody's products, on the device and of the type of `like`."""
        products = torch.full((queries, k), -1, dtype=torch.int64, device=like.device)
        return cls(products, like.new_full((queries, k), -torch.inf))

    @classmethod
    def join(cls, parts: list["Found"]) -> "Found":
        norms = [part.log_norm for part in parts if part.log_norm is not None]
        return cls(
            torch.cat([part.products for part in parts]),
            torch.cat([part.scores for part in parts]),
            torch.cat(norms) if norms else None,
        )


def merge(found: Found, later: list[Candidates]) -> Found:
    """Join lists with candidates, each part sorted by query; of equal scores what is named first stays first.

    The candidates are laid out beside the lists, one row a query, so that one stable sort of rows is enough.
    """
    queries, k = found.products.shape
    sizes = [torch.bincount(query, minlength=queries) for query, _, _ in later]  # parts x (Q,)
    if not sum(len(query) for query, _, _ in later):
        return found
    width = k + int(torch.stack(sizes).sum(0).max())
    products = found.products.new_full((queries, width), -1)
    scores = found.scores.new_full((queries, width), -torch.inf)
    products[:, :k], scores[:, :k] = found.products, found.scores
    begin = torch.full_like(sizes[0], k)
    for (query, product, score), size in zip(later, sizes, strict=True):
        place = torch.arange(len(query), device=query.device) + (begin - size.cumsum(0) + size)[query]
        products[query, place], scores[query, place] = product, score
        begin = begin + size
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    products = products.gather(1, order[:, :k])
    return Found(torch.where(torch.isneginf(scores[:, :k]), -1, products), scores[:, :k].contiguous())


def ranked(product: Tensor, score: Tensor, k: int) -> Found:
    """The k best of each row of candidates, -1 for none. (Q, n), (Q, n) -> (Q, k)"""
    product, order = product.sort(dim=1)
    score = score.gather(1, order).masked_fill(product < 0, -torch.inf)
    score, order = score.sort(dim=1, descending=True, stable=True)
    product = torch.where(torch.isneginf(score), -1, product.gather(1, order))
    missing = max(k - product.shape[1], 0)
    return Found(
        F.pad(product[:, :k], (0, missing), value=-1), F.pad(score[:, :k], (0, missing), value=-torch.inf)
    )
