"""What people said of customers, for the snapshots. Rooms above register who tells it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Called with the tenant and one customer, or None for all; yields rows of `dataset.LABELS` in any order.
Provider = Callable[[str, str | None], Iterable[Mapping[str, Any]]]

_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Add a function that yields rows of labels; registering it twice counts once."""
    if provider not in _providers:
        _providers.append(provider)


def said(tenant: str, customer_id: str | None = None) -> list[Mapping[str, Any]]:
    """Return the rows of every provider, or those of one customer."""
    return [row for provider in _providers for row in provider(tenant, customer_id)]
