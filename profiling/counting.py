"""Counting orders and money in a customer's visits."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.utils import timezone

from crm_data.selectors import VisitRecord


def order_of(basket: str, at: datetime | None) -> str:
    """Name the order of a purchase: its basket, or its day where there is none."""
    return f"basket {basket}" if basket or at is None else f"day {timezone.localtime(at).date()}"


def orders_of(visits: Iterable[VisitRecord]) -> set[str]:
    """Return the orders that were placed in visits."""
    return {order_of(visit.basket, visit.at) for visit in visits}


def money_of(visits: Iterable[VisitRecord]) -> float | None:
    """Return the sum of the amounts, sign ignored (hosts differ on returns), or None where there are none."""
    amounts = [visit.amount for visit in visits if visit.amount is not None]
    return round(sum(amounts), 2) if amounts else None


def most_frequent(words: Iterable[str]) -> list[tuple[str, int]]:
    """Return each word with its count, the most frequent first, equals in alphabetical order."""
    return ranked(Counter(words))


def ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return words with their counts, the most frequent first, equals in alphabetical order."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
