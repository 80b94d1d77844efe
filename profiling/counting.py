"""Counting orders and money in a customer's events."""

from collections import Counter
from collections.abc import Iterable

from django.utils import timezone

from crm_data.selectors import EventRecord


def orders_of(events: Iterable[EventRecord]) -> dict[str, list[EventRecord]]:
    """Group the lines of events into orders: by basket, or by day where there is none."""
    orders: dict[str, list[EventRecord]] = {}
    for event in events:
        key = f"basket {event.basket}" if event.basket else f"day {timezone.localtime(event.at).date()}"
        orders.setdefault(key, []).append(event)
    return orders


def money_of(events: Iterable[EventRecord]) -> float | None:
    """Return the sum of the amounts, sign ignored (hosts differ on returns), or None where there are none."""
    amounts = [abs(float(event.amount)) for event in events if event.amount is not None]
    return round(sum(amounts), 2) if amounts else None


def most_frequent(words: Iterable[str]) -> list[tuple[str, int]]:
    """Return each word with its count, the most frequent first, equals in alphabetical order."""
    return sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
