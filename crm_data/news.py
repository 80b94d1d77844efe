"""Word that something happened with customers, for whoever answers about them. Rooms above listen."""

from collections.abc import Callable, Collection

# Called with the customers' ids and the tenant, in the transaction that stores what happened.
Listener = Callable[[Collection[str], str], object]

_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Add a function that is told; registering it twice counts once."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell(customer_ids: Collection[str], tenant: str = "") -> None:
    """Tell every listener of events that were stored, changed or deleted."""
    if customer_ids:
        for listener in _listeners:
            listener(customer_ids, tenant)
