"""Softmax over a large catalogue from a sample of it: some negatives shared by a whole batch.

A query's normaliser is the sum over its *certain* products (its targets, its own products, what goes with
them), each counted as it is, and over drawn products that stand for all the others, each counted as often
as it stands for (Bengio & Senécal 2008). In expectation that is the normaliser of the full softmax.

Shapes: Q queries, P products, N different drawn products, R certain pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FULL = 20_000  # products up to which the full softmax is affordable
SHARE = 16  # a product stands for so many of the catalogue's, within the next two limits
FEWEST, MOST = 1024, 4096  # negatives of a batch
SMOOTHING = 0.75  # power of the sales (Mikolov et al. 2013)
UNIFORM = 0.25  # part of the draws that sales do not sway: rare products are pushed down too


@dataclass(frozen=True)
class Negatives:
    """Different products, in order, and the logarithm of how many products each stands for."""

    product: Tensor  # (N,) int64
    log_weight: Tensor  # (N,)


def sample_size(products: int, full: int = FULL) -> int:
    """Negatives of a batch; 0 where the full softmax is affordable."""
    return 0 if products <= full else min(max(products // SHARE, FEWEST), MOST)


def draw_odds(sold: Tensor) -> Tensor:
    """Chance of each product at one draw, from the number of its sales. (P,) -> (P,) float64, no 0"""
    popular = sold.clamp(min=0).double() ** SMOOTHING
    total = popular.sum()
    even = torch.full_like(popular, 1 / max(len(sold), 1))
    return even if total == 0 else UNIFORM * even + (1 - UNIFORM) * popular / total


def draw(odds: Tensor, size: int, generator: torch.Generator | None = None) -> Negatives:
    """Draw `size` products with replacement; those drawn twice stand for twice as many."""
    edges = odds.cumsum(0)
    points = torch.rand(size, dtype=torch.float64, device=odds.device, generator=generator) * edges[-1]
    drawn = torch.searchsorted(edges, points, right=True).clamp(max=len(odds) - 1)
    product, times = torch.unique(drawn, return_counts=True)
    return Negatives(product, (times / (size * odds[product])).log().float())


def sampled_log_norm(
    shared: Tensor, negatives: Negatives, logits: Tensor, query: Tensor, product: Tensor, products: int
) -> Tensor:
    """Estimate logsumexp over all products. -> (Q,)

    shared (Q, N) are the logits of the negatives; query, product and logits (R,) are the certain pairs, no
    pair twice. A negative that is certain for a query does not count again.
    """
    weighted = shared + negatives.log_weight  # (Q, N)
    place = torch.full((products,), -1, dtype=torch.int64, device=product.device)
    place[negatives.product] = torch.arange(len(negatives.product), device=product.device)
    column = place[product]
    again = column >= 0
    known = torch.zeros_like(weighted, dtype=torch.bool)
    known[query[again], column[again]] = True
    weighted = weighted.masked_fill(known, -torch.inf)
    top = weighted.detach().amax(dim=1)  # (Q,)
    top = top.scatter_reduce(0, query, logits.detach(), "amax").clamp(min=torch.finfo(top.dtype).min)
    total = (weighted - top[:, None]).exp().sum(1).index_add(0, query, (logits - top[query]).exp())
    return total.log() + top


def sampled_set_loss(
    shared: Tensor,
    negatives: Negatives,
    certain: tuple[Tensor, Tensor, Tensor],
    target: Tensor,
    products: int,
    weight: Tensor | None = None,
) -> Tensor:
    """`neural.losses.set_loss` with the normaliser estimated.

    `certain` is (query, product, logit), each (R,); `target` (T,) are the positions of the targets among
    them, every query with at least one. `weight` (T,) makes the mean over a query's targets a weighted one.
    """
    query, product, logits = certain
    log_norm = sampled_log_norm(shared, negatives, logits, query, product, products)
    asked = query[target]
    chosen = logits[target] - log_norm[asked]  # (T,)
    share = torch.ones_like(chosen) if weight is None else weight.to(chosen.dtype)
    total = torch.zeros(len(shared), dtype=chosen.dtype, device=chosen.device).index_add(0, asked, share)
    return -(chosen * share / total[asked]).sum() / len(shared)
