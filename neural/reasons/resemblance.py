"""What a product that nobody bought yet resembles, by its name: others with the same telling words."""

from functools import cached_property

import numpy as np

from neural.data.history import Bools, Ints
from neural.data.vocabulary import Vocabulary
from neural.products.likeness import Likeness

ALIKE = 0.5  # likeness of name, category and price from which two products are called alike


class Resemblance:
    """Products like the unsold ones, found when they are asked for and kept."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._likeness = Likeness(vocabulary)
        self._found: dict[int, Ints] = {}

    def strongest_owned(self, product: int, owned: Bools) -> int:
        """The product most like this one among those `owned` (P,), -1 for none."""
        if product not in self._found:
            self._found[product] = self._alike(product)
        mine = self._found[product][owned[self._found[product]]]
        return int(mine[0]) if len(mine) else -1

    def shared_words(self, one: int, other: int) -> list[str]:
        """Words that both names have, in order."""
        theirs = self._sets[other]
        return [word for word in self._likeness.words[one] if word in theirs]

    @cached_property
    def _sets(self) -> list[frozenset[str]]:
        return [frozenset(words) for words in self._likeness.words]

    def _alike(self, product: int) -> Ints:
        pairs = self._likeness.pairs(product, product + 1)
        order = np.argsort(-pairs.likeness, kind="stable")
        kept = (pairs.likeness >= ALIKE) & (pairs.name > 0)
        return pairs.other[order][kept[order]]
