"""How alike products are by what is known of them: words of the name, category and price."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from neural.data.history import Bools, Floats, Ints, expand
from neural.data.vocabulary import Vocabulary

NEAR = 20  # products above and below in price, within the category, that may be alike
COMMON = 0.02  # share of the products whose names have a word, above which it tells nothing
RARE = 200  # products below which a word is not called common
WEIGHTS = (0.6, 0.25, 0.15)  # of name, category and price, as far as both products have them
SPREAD = 0.5  # difference of log prices at which the likeness of prices is 1/e

_WORD = re.compile(r"[^\W\d_]{2,}|\d+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")


def words_of(name: str) -> list[str]:
    """The different words of a name, in order; scripts that put no space between words give their pairs.

    >>> words_of("Red mug, 2 RED spoons")
    ['red', 'mug', '2', 'spoons']
    """
    found: dict[str, None] = {}
    for word in _WORD.findall(name.lower()):
        pairs = [word[at : at + 2] for at in range(len(word) - 1)] if _UNSPACED.fullmatch(word) else [word]
        found.update(dict.fromkeys(pairs))
    return list(found)


@dataclass(frozen=True)
class Alike:
    """Pairs of products and how alike they are, 0 … 1. (R,) each; `name` is the part of the words."""

    row: Ints
    other: Ints
    likeness: Floats
    name: Floats


@dataclass(frozen=True)
class Likeness:
    """What the catalogue says of P products."""

    vocabulary: Vocabulary

    @cached_property
    def words(self) -> list[list[str]]:
        """(P,) words of each name; none where the name is only the product's number."""
        pairs = zip(self.vocabulary.products, self.vocabulary.product_names, strict=False)
        found = [words_of(name) if name != key else [] for key, name in pairs]
        return found or [[] for _ in self.vocabulary.products]

    @cached_property
    def named(self) -> Bools:
        return np.asarray([bool(words) for words in self.words], bool)

    @cached_property
    def category(self) -> Ints:
        return self.vocabulary.product_category

    @cached_property
    def price(self) -> Floats:
        """(P,) 0 where unknown."""
        known: Floats = np.expm1(self.vocabulary.product_price, dtype=np.float64)
        return np.round(known, 2)

    def pairs(self, begin: int, end: int) -> Alike:
        """Pairs of the products `begin` … `end` - 1 that share a telling word, or category and price."""
        similar = (self.names[begin:end] @ self.names.T).tocoo()
        near_row, near_other = self._near(begin, end)
        width = len(self.category)
        found = np.unique(
            np.concatenate([similar.row * np.int64(width) + similar.col, near_row * width + near_other])
        )
        row, other = found // width, found % width
        row, other = row[other != row + begin], other[other != row + begin]
        name = np.zeros(len(row))
        if similar.nnz:
            keys = similar.row * np.int64(width) + similar.col
            order = np.argsort(keys)
            wanted = row * width + other
            place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
            name = np.where(keys[order][place] == wanted, similar.data[order][place], 0.0)
        return Alike(row, other, self._likeness(row + begin, other, name), name)

    def _likeness(self, one: Ints, other: Ints, name: Floats) -> Floats:
        """Mean of the likenesses that both products have what it takes for, by WEIGHTS."""
        both_named = self.named[one] & self.named[other]
        sorted_in = (self.category[one] > 0) & (self.category[other] > 0)
        priced = (self.price[one] > 0) & (self.price[other] > 0)
        distance = np.abs(np.log(np.maximum(self.price[one], 0.01) / np.maximum(self.price[other], 0.01)))
        parts = (
            (both_named, name),
            (sorted_in, (self.category[one] == self.category[other]).astype(np.float64)),
            (priced, np.exp(-distance / SPREAD)),
        )
        weight = sum(share * known for share, (known, _) in zip(WEIGHTS, parts, strict=True))
        total = sum(share * known * value for share, (known, value) in zip(WEIGHTS, parts, strict=True))
        return np.asarray(total / np.maximum(weight, 1e-9), np.float64)

    @cached_property
    def names(self) -> sparse.csr_array:
        """Weights of the telling words of each name, each row of length 1. (P, words)"""
        numbers: dict[str, int] = {}
        sizes = [len(words) for words in self.words]
        column = np.asarray(
            [numbers.setdefault(word, len(numbers)) for words in self.words for word in words], np.int64
        )
        row = np.repeat(np.arange(len(sizes)), sizes)
        count = np.bincount(column, minlength=len(numbers))
        weight = np.log((1 + len(sizes)) / (1 + count))
        length = np.sqrt(np.bincount(row, weight[column] ** 2, minlength=len(sizes)))
        value = weight[column] / np.maximum(length[row], 1e-9)
        telling = (count <= max(RARE, COMMON * len(sizes)))[column] & (count > 1)[column]
        shape = (len(sizes), max(len(numbers), 1))
        return sparse.coo_array((value[telling], (row[telling], column[telling])), shape=shape).tocsr()

    @cached_property
    def _order(self) -> Ints:
        """The products that have a category, by category and price."""
        sorted_in = np.flatnonzero(self.category > 0)
        return sorted_in[np.lexsort((self.price[sorted_in], self.category[sorted_in]))]

    def _near(self, begin: int, end: int) -> tuple[Ints, Ints]:
        """The NEAR products above and below in price, of the same category."""
        place = np.flatnonzero((self._order >= begin) & (self._order < end))
        category = self.category[self._order]
        first = np.searchsorted(category, category[place])
        last = np.searchsorted(category, category[place], side="right")
        owner, there = expand(np.maximum(place - NEAR, first), np.minimum(place + NEAR + 1, last))
        return self._order[place][owner] - begin, self._order[there]
