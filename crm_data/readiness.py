"""What agents ask of the data before they can learn from it. Rooms above register; the dry run reports."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """The least that one agent needs."""

    agent: str
    customers: int  # with at least one event of `kinds`
    purchases: int  # events of `kinds`
    days: int  # from the first to the last of them
    kinds: tuple[str, ...] = ("purchase",)


_providers: list[Callable[[], Iterable[Requirement]]] = []


def register(provider: Callable[[], Iterable[Requirement]]) -> None:
    """Add a function that names requirements; registering it twice counts once."""
    if provider not in _providers:
        _providers.append(provider)


def requirements() -> list[Requirement]:
    return [requirement for provider in _providers for requirement in provider()]


def missing(requirement: Requirement, *, customers: int, purchases: int, days: int) -> list[str]:
    """Return one plain sentence for each unmet requirement."""
    kind = " or ".join(requirement.kinds)
    wanted = (
        (customers, requirement.customers, "customer", f" with a {kind}"),
        (purchases, requirement.purchases, "event", f" of the kind {kind}"),
        (days, requirement.days, "day", f" from the first {kind} to the last"),
    )
    return [
        f"{has:,} {noun}{'' if has == 1 else 's'}{what}, at least {needs:,} are needed."
        for has, needs, noun, what in wanted
        if has < needs
    ]
