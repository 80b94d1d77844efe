"""How alike two products are, as catalogue and scores tell: for lists that are not ten times the same."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from crm_data.selectors import ProductRecord
from recommender.models import ProductRelations

Alike = Callable[[ProductRecord, ProductRecord], float]

SAME_CATEGORY, SAME_PRICE, SAME_WORDS = 0.5, 0.15, 0.35  # they add up to 1
NEAR_PRICE = 1.5  # prices within this ratio are of one band


SUBSTITUTE = 0.9  # at least, of two products of which the scores say that one replaces the other


def alike_by(relations: Iterable[ProductRelations]) -> Alike:
    """Return `alike`, with what stands in for each other by the scores no less alike than SUBSTITUTE."""
    pairs = {
        frozenset((row.key, str(entry["product"])))
        for row in relations
        for entry in row.payload.get("substitutes", [])
    }

    def found(first: ProductRecord, second: ProductRecord) -> float:
        least = SUBSTITUTE if frozenset((first.id, second.id)) in pairs else 0.0
        return max(least, alike(first, second))

    return found


def alike(first: ProductRecord, second: ProductRecord) -> float:
    """Return from 0 (nothing in common) to 1 (same category, price band and name)."""
    found = SAME_CATEGORY if first.category and first.category == second.category else 0.0
    if first.price and second.price and first.price > 0 and second.price > 0:
        ratio = max(first.price, second.price) / min(first.price, second.price)
        found += SAME_PRICE if ratio <= NEAR_PRICE else 0.0
    return found + SAME_WORDS * _common(_words(first.name), _words(second.name))


def _common(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second) if first or second else 0.0


@lru_cache(maxsize=10_000)
def _words(name: str) -> frozenset[str]:
    words = name.lower().split()
    # Languages without spaces: the pairs of neighbouring characters do what words do elsewhere.
    if len(words) == 1 and not name.isascii():
        return frozenset(name[start : start + 2] for start in range(max(len(name) - 1, 1)))
    return frozenset(words)
