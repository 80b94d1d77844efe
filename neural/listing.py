"""Lists and their chances from vectors: as from all logits, without ever holding a row of the catalogue.

Where a model's logit of a product is query · product + what a pair has beside it, the best products and the
normaliser of the softmax come block by block, see `neural.retrieval`. Shapes: Q customers, P products.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neural.calibration import apply_platt, logit
from neural.data.history import Bools, Floats, Ints
from neural.products.unsold import Lenders
from neural.retrieval import Found, Pairs, exact_top_k


@dataclass(frozen=True)
class Factors:
    """The logits of Q customers on one day: queries · products + the pairs' bonuses."""

    queries: Tensor  # (Q, D)
    products: Tensor  # (P, D)
    pairs: Pairs

    def dense(self) -> Tensor:
        """All logits. (Q, P)"""
        logits = self.queries @ self.products.T
        place = self.pairs.query * len(self.products) + self.pairs.product
        return logits.flatten().index_add(0, place, self.pairs.bonus).view_as(logits)


@dataclass(frozen=True)
class Listed:
    """Best products first, with the chance that the customer buys them.

    >>> Listed(np.array([[7, 2, -1]]), np.array([[0.5, 0.25, 0.0]])).first(1).products.tolist()
    [[7]]
    """

    products: Ints  # (Q, k), -1 where there is no further product
    chances: Floats  # (Q, k), 0 there

    def first(self, k: int) -> "Listed":
        return Listed(self.products[:, :k], self.chances[:, :k])


def list_best(
    factors: Factors,
    k: int,
    *,
    offered: Bools,
    calibration: Mapping[str, Any],
    shift: Floats,
    refused: tuple[Ints, Ints] | None = None,
) -> Listed:
    """List the k best `offered` (P,) products of each customer.

    The share of a product is its part of the softmax over what is offered; `shift` (Q,) moves a customer's
    chances, see `neural.calibration`. `refused` are customers and products, 2 x (R,), that are left out of
    the lists but not of the shares.
    """
    found = best_shares(factors, k, offered=offered, refused=refused)
    chances = apply_platt(logit(found.chances), calibration, shift=shift[:, None])
    return Listed(found.products, np.where(found.products >= 0, chances, 0.0))


def best_shares(
    factors: Factors, k: int, *, offered: Bools, refused: tuple[Ints, Ints] | None = None
) -> Listed:
    """The same with the bare shares, which no calibration has turned into chances."""
    query, product = refused if refused is not None else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    more = int(np.bincount(query).max(initial=0))
    allowed = torch.from_numpy(offered).to(factors.queries.device)
    found = exact_top_k(
        factors.queries, factors.products, k + more, pairs=factors.pairs, allowed=allowed, normalise=True
    )
    products, scores = _without(found, query, product, k, len(offered))
    return Listed(products, np.exp(np.where(products >= 0, scores, -np.inf) - _norm(found)[:, None]))


def lend(factors: Factors, lenders: Lenders) -> Factors:
    """Give what is unsold the logits lent to it, as `Lenders.lend` does to rows of all logits.

    Memory grows with the numbers of the unsold and of those that lend to them, not with the catalogue.
    """
    if not len(lenders.unsold):
        return factors
    device, width = factors.queries.device, len(factors.products)
    selling, unsold = (torch.from_numpy(part).to(device) for part in (lenders.selling, lenders.unsold))
    mine = factors.pairs.among(selling, width)
    usual = _norm(
        exact_top_k(factors.queries, factors.products[selling], 1, pairs=mine, normalise=True)
    ) - np.log(len(selling))  # (Q,) log of the mean odds of all that sells
    used = np.unique(lenders.weights.indices)
    some = selling[torch.from_numpy(used).to(device)]
    theirs = Factors(factors.queries, factors.products[some], factors.pairs.among(some, width)).dense()
    odds = np.exp(theirs.cpu().numpy().astype(np.float64) - usual[:, None])  # (Q, U)
    known = np.asarray(lenders.weights.sum(axis=1))[None, :]  # (1, C)
    lent = (lenders.weights[:, used] @ odds.T).T + 1 - known
    logits = np.log(np.maximum(lent, 1e-30)) + usual[:, None]  # (Q, C)
    scores = torch.from_numpy(logits.astype(np.float32)).to(device)
    bonus = scores - factors.queries @ factors.products[unsold].T
    kept = factors.pairs.take(torch.nonzero(~torch.isin(factors.pairs.product, unsold))[:, 0])
    query = torch.arange(len(scores), device=device).repeat_interleave(len(unsold))
    query, order = torch.cat([kept.query, query]).sort(stable=True)
    product = torch.cat([kept.product, unsold.repeat(len(scores))])[order]
    return replace(factors, pairs=Pairs(query, product, torch.cat([kept.bonus, bonus.flatten()])[order]))


def _norm(found: Found) -> Floats:
    if found.log_norm is None:  # pragma: no cover (it was asked for)
        raise ValueError("The search gave no normaliser.")
    return found.log_norm.cpu().numpy().astype(np.float64)


def _without(found: Found, query: Ints, product: Ints, k: int, width: int) -> tuple[Ints, Floats]:
    """The lists less some pairs, in their order, cut to k."""
    products = found.products.cpu().numpy()
    scores = found.scores.cpu().numpy().astype(np.float64)
    keys = np.arange(len(products))[:, None] * width + products
    gone = np.isin(keys, query * width + product) | (products < 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    products = np.where(
        np.take_along_axis(gone, order, axis=1), -1, np.take_along_axis(products, order, axis=1)
    )
    return products, np.take_along_axis(scores, order, axis=1)
