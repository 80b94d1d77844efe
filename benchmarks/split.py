"""The test that every recommender of a run takes: who is asked, what they bought, which lists count."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.peers.log import Array, Floats, Ints, Log
from neural.evaluation.ranking import LENGTH, Truth, query_metrics, top_lists, without_own
from neural.evaluation.recommending import Ranked

BATCH = 512  # customers
COLD = ("ndcg@10", "recall@20")  # what is told of products without a past
SUFFIXES = ("_cold", "_cold_only")  # among everything new to the customer, and among themselves

# Customers (Q,) -> scores (Q, P), or two of them: of all products, and of those new to the customer.
Scorer = Callable[[Ints], Array | tuple[Array, Array]]


@dataclass(frozen=True)
class Split:
    """Customers with a history who buy within the horizon from `moment` on; the rows of every result."""

    log: Log
    moment: float
    horizon: float = 28.0

    @cached_property
    def customers(self) -> Ints:
        return self.log.buyers(self.moment, self.moment + self.horizon)

    @cached_property
    def everyone(self) -> Ints:
        """All customers with a history: whom a shop scores every night."""
        return np.unique(self.log.customer[self.log.before(self.moment)])

    @cached_property
    def truth(self) -> Truth:
        part = self.log.between(self.moment, self.moment + self.horizon)
        row = np.minimum(
            np.searchsorted(self.customers, self.log.customer[part]), max(len(self.customers) - 1, 0)
        )
        kept = (
            self.customers[row] == self.log.customer[part]
            if len(self.customers)
            else np.zeros(len(row), bool)
        )
        return Truth.of(row[kept], self.log.product[part][kept], len(self.customers), self.log.products)

    @cached_property
    def new(self) -> Truth:
        """What of it the customer had not bought before."""
        query, product = self._own[self.customers].nonzero()
        return without_own(self.truth, query, product)

    @cached_property
    def cold(self) -> Truth:
        """What of it nobody had bought before: products first sold inside the window."""
        kept = self.log.first_sale[self.truth.product] >= self.moment
        return Truth.of(
            self.truth.query[kept], self.truth.product[kept], len(self.customers), self.log.products
        )

    @cached_property
    def one_basket(self) -> npt.NDArray[np.bool_]:
        """Whether each customer had bought just once before."""
        part = self.log.before(self.moment)
        _, first = np.unique(self.log.basket[part], return_index=True)
        number = np.bincount(self.log.customer[part][first], minlength=self.log.customers)
        return number[self.customers] == 1

    @cached_property
    def _own(self):
        return self.log.counts(self.moment)

    def lists(self, scorer: Scorer, customers: Ints | None = None) -> Ranked:
        """The best of all products sold before the moment, and of those new to the customer."""
        asked = self.customers if customers is None else customers
        known = self.log.first_sale < self.moment
        found = [np.zeros((2, 0, LENGTH), np.int64)]
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            answer = scorer(part)
            overall, fresh = answer if isinstance(answer, tuple) else (answer, answer)
            fresh = np.where(known, fresh, -np.inf)
            fresh[self._own[part].nonzero()] = -np.inf
            found.append(np.stack([top_lists(np.where(known, overall, -np.inf)), top_lists(fresh)]))
        overall_lists, fresh_lists = np.concatenate(found, axis=1)
        return Ranked(overall_lists, fresh_lists)

    def of_everyone(self, lists: Ranked) -> Ranked:
        """Those of the customers asked here, of lists made for everyone."""
        row = np.searchsorted(self.everyone, self.customers)
        return Ranked(lists.overall[row], lists.fresh[row])

    def values(self, ranked: Ranked) -> dict[str, Floats]:
        """Each customer's own metrics, of all and (`_new`) of new products; NaN without truth."""
        fresh = query_metrics(ranked.fresh, self.new)
        return {
            **query_metrics(ranked.overall, self.truth),
            **{f"{name}_new": values for name, values in fresh.items()},
        }

    def cold_zeros(self) -> dict[str, Floats]:
        """The same of a method that has no score for what was never sold: nothing found."""
        zero = np.where(self.cold.size > 0, 0.0, np.nan)
        return {f"{name}{suffix}": zero for name in COLD for suffix in SUFFIXES}

    def cold_values(self, scorer: Scorer) -> dict[str, Floats]:
        """Metrics of products without a past, NaN where the customer bought none.

        `_cold` ranks them among all that the customer had not bought, as a list on a page would;
        `_cold_only` among themselves: whom does this novelty suit?
        """
        offered = self.log.first_sale < self.moment + self.horizon
        cold = offered & (self.log.first_sale >= self.moment)
        found: list[tuple[Ints, Ints]] = []
        for start in range(0, len(self.customers), BATCH):
            part = self.customers[start : start + BATCH]
            answer = scorer(part)
            scores = answer[1] if isinstance(answer, tuple) else answer
            fresh = np.where(offered, scores, -np.inf)
            fresh[self._own[part].nonzero()] = -np.inf
            found.append((top_lists(fresh), top_lists(np.where(cold, scores, -np.inf))))
        values = {}
        for suffix, lists in zip(SUFFIXES, zip(*found, strict=True), strict=True):
            measured = query_metrics(np.concatenate(lists), self.cold)
            values.update({f"{name}{suffix}": measured[name] for name in COLD})
        return values
