"""One product on its way into a customer's list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_data.selectors import ProductRecord

MODEL, ALIKE, POPULARITY, RULE = "model", "similar_customers", "popularity", "rule"


@dataclass
class Offer:
    """A product that may be recommended. `factor` is what the rules make of its chance."""

    record: ProductRecord
    source: str  # MODEL, ALIKE, POPULARITY, or RULE for a product that only a rule brought in
    score: float | None = None
    reasons: tuple[Mapping[str, Any], ...] = ()  # facts, see recommender.reasons
    said: list[Mapping[str, Any]] = field(default_factory=list)  # what rules did to it, facts alike
    factor: float = 1.0
    pinned: bool = False
    value: float | None = None  # expected, in the Source's currency

    @property
    def product(self) -> str:
        return self.record.id

    @property
    def category(self) -> str:
        return self.record.category


def weighed(figure: float | None, factor: float) -> float:
    """Return a chance or value with a rule's factor on it; what has none comes last."""
    if figure is None:
        return float("-inf")
    return figure * factor if figure >= 0 else figure / factor  # a loss moved down is a greater loss
