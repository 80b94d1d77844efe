"""Which products of a list a reader wants, and which wish left none."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from recommender.choosing.offer import Offer
from recommender.choosing.wish import Wish

Test = Callable[[Offer], bool]


@dataclass(frozen=True)
class Sieved:
    """What passed; `emptied` names the wish that left none of `before` products, "" where some are left."""

    offers: list[Offer]
    emptied: str = ""
    before: int = 0


def sieved(offers: list[Offer], wish: Wish, bought: Collection[str] = ()) -> Sieved:
    """Keep the offers that the wish lets pass; `bought` is what the customer bought too lately."""
    for name, test in tests(wish, bought):
        kept = [offer for offer in offers if test(offer)]
        if offers and not kept:
            return Sieved([], name, len(offers))
        offers = kept
    return Sieved(offers)


def tests(wish: Wish, bought: Collection[str]) -> Iterator[tuple[str, Test]]:
    """Yield the tests that the wish asks for, by their names as parameters.

    What is not known passes as in stock, and is within no bound of price.
    """
    low, high = wish.price_min, wish.price_max
    if wish.category:
        yield "category", lambda offer: offer.category == wish.category
    if low is not None:
        yield "price_min", lambda offer: offer.record.price is not None and offer.record.price >= low
    if high is not None:
        yield "price_max", lambda offer: offer.record.price is not None and offer.record.price <= high
    if wish.in_stock:
        yield "in_stock", lambda offer: offer.record.available is not False
    if wish.not_bought_days is not None:
        yield "not_bought_days", lambda offer: offer.product not in bought
