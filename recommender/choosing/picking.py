"""Takes a list's products one after the other: pins first, limits kept, variety weighed against rank."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from recommender.choosing.offer import Offer
from recommender.choosing.variety import Alike, alike


def picked(
    pinned: Sequence[Offer],
    ranked: Sequence[Offer],
    *,
    limit: int,
    caps: Mapping[str, int],
    diversity: float,
    likeness_of: Alike = alike,
) -> list[Offer]:
    """Return at most `limit` offers: the pinned ones, then the best of `ranked` within the limits.

    With diversity d > 0 the next one is that with the most (1 - d) · rank - d · likeness, where rank falls
    evenly from 1 to 0 and likeness is that to the most alike product already in the list (maximal marginal
    relevance). Pinned products count in the limits and are never taken out by them.
    """
    chosen = list(pinned[:limit])
    full = _fullness(chosen, caps)
    left = [(place, offer) for place, offer in enumerate(ranked)]
    likeness = {offer.product: _nearest(offer, chosen, likeness_of) for offer in ranked} if diversity else {}
    while left and len(chosen) < limit:
        place, offer = _next(left, likeness, diversity, len(ranked))
        left.remove((place, offer))
        if full(offer.category):
            continue
        chosen.append(offer)
        for _place, other in left if diversity else ():
            likeness[other.product] = max(likeness[other.product], likeness_of(offer.record, other.record))
    return chosen


def _next(
    left: list[tuple[int, Offer]], likeness: Mapping[str, float], diversity: float, total: int
) -> tuple[int, Offer]:
    if not diversity:
        return left[0]
    # `max` takes the first of equals, which is the better ranked.
    return max(
        left,
        key=lambda each: (1 - diversity) * (1 - each[0] / total) - diversity * likeness[each[1].product],
    )


def _nearest(offer: Offer, chosen: Sequence[Offer], likeness_of: Alike) -> float:
    return max((likeness_of(offer.record, other.record) for other in chosen), default=0.0)


def _fullness(chosen: Sequence[Offer], caps: Mapping[str, int]) -> Callable[[str], bool]:
    """Return a function that says whether a category is full, and otherwise counts one more in it."""
    taken = Counter(offer.category for offer in chosen)

    def full(category: str) -> bool:
        most = caps.get(category, caps.get("")) if category else None
        if most is not None and taken[category] >= most:
            return True
        taken[category] += 1
        return False

    return full
