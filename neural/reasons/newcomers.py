"""What to offer a customer who has bought nothing yet: what people alike buy, as far as that is known.

The chance that a newcomer buys product p is taken to be

    share(p) * first(p) * ratio_a(p) * ratio_b(p) * ...

share    of the active customers, who bought it lately
first    how much more often it is in first orders than in others
ratio_a  how much more often those bought it who have the newcomer's value of attribute a

Each ratio is (k + b) / (k + e): b customers bought it, e would have if they were like everyone. This is the
mean of a ratio that is gamma(k, k) beforehand and b Poisson, the empirical-Bayes estimate of DuMouchel
(1999): few customers leave it near 1. The weight k comes from the data by moments, for first orders and for
each attribute; an attribute that tells nothing gets an infinite one, so that it changes nothing. Attributes
are taken in the order of what they tell; of each counts what those before it have not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, Ints
from neural.data.world import World
from neural.reasons.circles import Circles
from neural.reasons.counting import buyers

FIRST_DAYS = 180  # in which first orders are looked at
MOST_VALUES = 64  # of an attribute, the commonest
MOST_ATTRIBUTES = 3


@dataclass(frozen=True)
class FirstOrders:
    """Customers whose first purchase lies in the FIRST_DAYS before a moment."""

    customers: int
    bought: Ints  # (P,) of them, in whose first order it was
    ratio: Floats  # (P,) see `first` above

    @classmethod
    def of(cls, world: World, as_of: float) -> "FirstOrders":
        history, width = world.history, len(world.vocabulary.products)
        visits = history.outcomes
        _, place = np.unique(history.visit_customer[visits], return_index=True)
        time = history.visit_time[visits[place]]
        chosen = visits[place][(time >= as_of - FIRST_DAYS) & (time < as_of)]
        lines = np.isin(history.line_visit, chosen)
        bought = np.bincount(history.line_product[lines], minlength=width)
        usual = buyers(world, as_of - FIRST_DAYS, as_of)
        expected = usual / max(usual.sum(), 1) * bought.sum()
        weight = _weight(bought[None, :], expected[None, :], np.zeros((1, 1)))
        return cls(len(chosen), bought, _ratio(bought, expected, weight))


@dataclass(frozen=True)
class Attribute:
    """One attribute's values and their ratios."""

    name: str
    words: Ints  # (U,) numbers among the circles' words
    ratio: npt.NDArray[np.float32]  # (U, P)


@dataclass(frozen=True)
class Alike:
    """How much more often customers of each word buy each product."""

    circles: Circles

    @cached_property
    def attributes(self) -> list[Attribute]:
        """The attributes that tell anything, those that tell most first."""
        waiting, found = self._single_valued(), list[Attribute]()
        while waiting and len(found) < MOST_ATTRIBUTES:
            weighed = {name: self._fitted(words, found) for name, words in waiting.items()}
            name = min(weighed, key=lambda each: (weighed[each][0], each))
            weight, expected = weighed[name]
            if not np.isfinite(weight):
                break
            words = waiting.pop(name)
            ratio = _ratio(self._bought(words), expected, weight).astype(np.float32)
            found.append(Attribute(name, words, ratio))
        return found

    def ratio(self, words: Sequence[int]) -> Floats | None:
        """Ratio of every product for a customer with these words; None where they tell nothing. (P,)"""
        rows = [
            attribute.ratio[place]
            for attribute in self.attributes
            for place in np.flatnonzero(np.isin(attribute.words, words))
        ]
        return np.prod(np.asarray(rows, np.float64), axis=0) if rows else None

    def _single_valued(self) -> dict[str, Ints]:
        """Each attribute's words, where nobody has two of them and there are two to compare."""
        circles, found = self.circles, {}
        names = np.asarray([name for name, _ in circles.words], dtype=object)
        for name in sorted(set(names.tolist())):
            words = np.flatnonzero((names == name) & (circles.members > 0))
            words = np.sort(words[np.argsort(-circles.members[words], kind="stable")[:MOST_VALUES]])
            shared = circles.shared[np.ix_(words, words)]
            if len(words) and shared.sum() == np.trace(shared):
                found[name] = words
        return found

    def _fitted(self, words: Ints, before: Sequence[Attribute]) -> tuple[float, Floats]:
        """The weight k of an attribute, and what its customers would have bought by those `before`. (U, P)"""
        circles = self.circles
        share = circles.bought / max(circles.bought.sum(), 1)  # (P,)
        size = circles.shared[words, words].astype(np.float64)[:, None]  # (U, 1)
        expected = size * share
        for other in before:
            common = circles.shared[np.ix_(words, other.words)] / np.maximum(size, 1)  # (U, V)
            expected = expected * (common @ other.ratio + 1 - common.sum(axis=1, keepdims=True))
        part = size / max(circles.bought.sum(), 1)
        return _weight(self._bought(words), expected, part), expected

    def _bought(self, words: Ints) -> Ints:
        return np.asarray(self.circles.member_bought[words].todense())


def _weight(bought: npt.NDArray[np.int64], expected: Floats, part: Floats) -> float:
    """k by moments: infinite where the counts differ no more than chance makes them. (U, P), (U, P), (U, 1)

    `part` of what everyone bought is the group's own, so by chance it varies that much less.
    """
    beyond = ((bought - expected) ** 2 - expected * (1 - part)).sum()
    return float(((expected * (1 - part)) ** 2).sum() / beyond) if beyond > 0 else np.inf


def _ratio(bought: npt.NDArray[np.int64], expected: Floats, weight: float) -> Floats:
    if not np.isfinite(weight):
        return np.ones_like(expected)
    return np.asarray((bought + weight) / (expected + weight))
