"""How far recommendations go beyond what everybody buys.

Novelty is the mean self-information of what is listed, -log2 of the share of customers who bought the product
before the cut-off (Zhou et al. 2010, PNAS 107:4511; Vargas and Castells 2011, RecSys). It is no score of its
own: a random list is very novel. Beside accuracy it tells whether a model lists more than best-sellers.
"""

from dataclasses import dataclass

import numpy as np

from neural.data.history import Floats, Ints, expand
from neural.data.world import World
from neural.evaluation.ranking import CUT, DIGITS, Truth

HEADS = (0.01, 0.05, 0.2, 1.0)  # of the catalogue, the most popular products first


@dataclass(frozen=True)
class Popularity:
    """How many customers bought each product before a cut-off."""

    buyers: Ints  # (P,)
    customers: int

    @classmethod
    def before(cls, world: World, cutoff: float) -> "Popularity":
        history, products = world.history, len(world.vocabulary.products)
        visit = history.outcomes[history.visit_time[history.outcomes] < cutoff]
        owner, line = expand(history.line_start[visit], history.line_start[visit + 1])
        customer = history.visit_customer[visit]
        pairs = np.unique(customer[owner] * max(products, 1) + history.line_product[line])
        buyers = np.bincount(pairs % max(products, 1), minlength=products)
        return cls(buyers, len(np.unique(customer)))

    @property
    def information(self) -> Floats:
        """Self-information of each product, in bits; one that nobody bought counts as bought once. (P,)"""
        return np.asarray(np.log2(max(self.customers, 1) / np.maximum(self.buyers, 1)))

    def novelty(self, lists: Ints, truth: Truth) -> Floats:
        """Mean self-information of each query's first ten; NaN for a query without list or truth. (Q,)"""
        first = lists[:, :CUT]
        listed = first >= 0
        total = np.where(listed, self.information[np.maximum(first, 0)], 0.0).sum(axis=1)
        count = listed.sum(axis=1)
        kept = (count > 0) & (truth.size > 0)
        found: Floats = np.divide(total, count, out=np.full(len(lists), np.nan), where=kept)
        return found

    def heads(self) -> Ints:
        """In which of HEADS each product falls. (P,)"""
        place = np.empty(len(self.buyers), np.int64)
        place[np.argsort(-self.buyers, kind="stable")] = np.arange(len(self.buyers))
        return np.searchsorted(np.array(HEADS) * len(self.buyers), place, side="right")

    def shares(self, lists: Ints, truth: Truth) -> list[dict[str, float]]:
        """How much of what is listed, and of what was truly bought, falls in each part of the catalogue."""
        head = self.heads()
        first = lists[truth.size > 0][:, :CUT]
        listed = np.bincount(head[first[first >= 0]], minlength=len(HEADS))
        bought = np.bincount(head[truth.product], minlength=len(HEADS))
        return [
            {
                "upto": upto,
                "listed": round(float(listed[place] / max(listed.sum(), 1)), DIGITS),
                "bought": round(float(bought[place] / max(bought.sum(), 1)), DIGITS),
            }
            for place, upto in enumerate(HEADS)
        ]
