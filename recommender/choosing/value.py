"""What a recommendation is worth: its chance times what the sale brings."""

from collections.abc import Sequence

from recommender.choosing.offer import Offer

MARGIN, PRICE = "margin", "price"


def priced(offers: Sequence[Offer]) -> str:
    """Set each offer's expected value, and return what it is made of: MARGIN, PRICE, or "" without prices.

    One list is measured by one rule: by margin where the cost of every product with a price is known, else
    by price, since a price beside a margin would always win.
    """
    sold = [offer for offer in offers if offer.record.price is not None]
    if not sold:
        return ""
    basis = MARGIN if all(offer.record.cost is not None for offer in sold) else PRICE
    for offer in sold:
        price, cost = offer.record.price or 0.0, offer.record.cost or 0.0
        if offer.score is not None:
            offer.value = offer.score * (price - cost if basis == MARGIN else price)
    return basis
