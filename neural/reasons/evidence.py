"""Reasons for the lists of a batch of customers, found for all of them at once, code by code."""

from collections.abc import Iterable, Iterator

import numpy as np

from neural.data.history import Ints
from neural.data.world import Queries, World
from neural.reasons.circles import YEAR
from neural.reasons.market import Market
from neural.reasons.others import Reason, Told, of_everyone, same_branch, up
from neural.reasons.own import Own
from neural.reasons.resemblance import Resemblance
from neural.reasons.together import strongest_owned

MOST_REASONS = 4
FIRST_ITEMS, LATER_REASONS = 20, 2  # items beyond the first of a list say less, so that sets stay small


def reasons_for(world: World, market: Market, queries: Queries, lists: Ints) -> list[list[Reason]]:
    """The reasons of each listed product, the customer's own evidence first. (Q, K) -> Q * K lists

    No two of an item say the same of it: what is due is not called a repeat, what rises not popular.
    """
    return gathered(Evidence(world, market, queries, lists).all(), lists)


def gathered(parts: Iterable[Told], lists: Ints) -> list[list[Reason]]:
    """Put reasons beside their products: those of the earlier parts first, as many as an item may have."""
    found: list[list[Reason]] = [[] for _ in range(lists.size)]
    most = np.full(lists.shape, MOST_REASONS)
    most[:, FIRST_ITEMS:] = LATER_REASONS
    limit = most.ravel().tolist()
    for told in parts:
        for place, reason in told:
            if len(found[place]) < limit[place]:
                found[place].append(reason)
    return found


class Evidence:
    """The facts about Q customers and K listed products of each; -1 in `lists` is no product."""

    def __init__(self, world: World, market: Market, queries: Queries, lists: Ints) -> None:
        self.world, self.market, self.lists = world, market, lists
        self.own = Own(world, queries)
        self.place = self.own.places(lists)  # (Q, K) among the customer's own products
        self.owned = self.own.owned()  # (Q, P)

    def all(self) -> Iterator[Told]:
        yield self._repeat()
        yield self._like()
        yield self._bought_with()
        yield self._category()
        yield self._same_branch()
        yield from of_everyone(self.market, self.lists)

    def _repeat(self) -> Told:
        flat = np.flatnonzero(self.place >= 0)
        rows, order = np.unique(self.place.ravel()[flat], return_index=True)
        repeats = self.own.repeats
        times, span = repeats.times[rows], repeats.span[rows]
        mean = np.where(span > 0, span / np.maximum(times - 1, 1), np.nan)
        facts = (flat[order], times, repeats.days_since[rows], mean, self.own.usual_gap(rows))
        for place, count, since, gap, usual in zip(*(part.tolist() for part in facts), strict=True):
            known = {"times": count, "days_since": int(since)}
            if usual:
                yield place, up("due", **known, usual_gap_days=round(usual, 1))
            else:
                yield place, up("repeat", **known, usual_gap_days=round(gap, 1) if gap == gap else None)

    def _like(self) -> Told:
        unsold = (self.lists >= 0) & self.market.unsold[np.maximum(self.lists, 0)]
        if not unsold.any():
            return
        resemblance, names = self._resemblance(), self.world.vocabulary.products
        for row, column in np.argwhere(unsold).tolist():
            product = int(self.lists[row, column])
            other = resemblance.strongest_owned(product, self.owned[row])
            if other >= 0:
                times, words = self.own.times(row, other), resemblance.shared_words(product, other)
                place = row * self.lists.shape[1] + column
                yield place, up("like", product=names[other], times=times, words=words)

    def _bought_with(self) -> Told:
        together, names = self.market.together, self.world.vocabulary.products
        best = strongest_owned(together, self.lists, self.owned)
        row, column = np.nonzero(best >= 0)
        product, place = self.lists[row, column], best[row, column]
        other = together.other[product, place]
        at = row * self.lists.shape[1] + column
        facts = (at, other, together.both[product, place], together.owners[other])
        for index, one, customers, of in zip(*(part.tolist() for part in facts), strict=True):
            yield index, up("bought_with", product=names[one], customers=customers, of=of)

    def _category(self) -> Told:
        visits = self.own.category_visits(self.lists).ravel()
        names = self.world.vocabulary.categories
        category = self.world.vocabulary.product_category[np.maximum(self.lists.ravel(), 0)]
        told = np.flatnonzero(visits)
        facts = (told, category[told], visits[told])
        for place, number, times in zip(*(part.tolist() for part in facts), strict=True):
            yield place, up("category", category=names[number], times=times)

    def _same_branch(self) -> Told:
        market, queries = self.market, len(self.lists)
        within = self.own.bought_within(market.as_of - YEAR, market.as_of)
        repeats = self.own.repeats
        self_bought = np.append(within, False)[self.place]  # (Q, K)
        active = np.zeros(queries, bool)
        active[repeats.query[within]] = True
        words = self.world.worn[self.own.queries.customer]
        yield from same_branch(market.circles, words, self.lists, self_bought, active)

    def _resemblance(self) -> Resemblance:
        kept: Resemblance = self.world.worked_out.setdefault(
            "resemblance", Resemblance(self.world.vocabulary)
        )
        return kept
