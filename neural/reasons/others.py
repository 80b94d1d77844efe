"""Reasons for lists of products that speak of other customers: of those alike, and of everyone."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from neural.data.history import Bools, Floats, Ints
from neural.reasons.circles import YEAR, Circles
from neural.reasons.counting import LEAST_CUSTOMERS, clearly_more
from neural.reasons.market import MONTH, Market
from neural.reasons.newcomers import FIRST_DAYS

Reason = dict[str, Any]
Told = Iterator[tuple[int, Reason]]  # (place in the flattened lists, reason)

LEAST_ALIKE = 5  # other customers with the same value of an attribute


def up(code: str, **facts: Any) -> Reason:
    return {"code": code, "direction": "up", **facts}


def same_branch(circles: Circles, words: Ints, lists: Ints, own: Bools, active: Bools) -> Told:
    """Whether those with one of the customer's words bought it clearly more often than all others did.

    words (Q, W) and lists (Q, K) with -1 for none; own (Q, K): the customer bought it in the last YEAR;
    active (Q,): the customer bought anything in it. The customer counts neither way.
    """
    if not len(circles.members):
        return  # nobody has any attribute, any more
    worn, product = np.maximum(words, 0)[:, :, None], np.maximum(lists, 0)[:, None, :]
    asked = (words >= 0)[:, :, None] & (lists >= 0)[:, None, :]  # (Q, W, K)
    alike = _looked_up(circles, worn, product) - own[:, None, :]
    of = np.broadcast_to(circles.members[worn] - active[:, None, None], alike.shape)
    others = circles.bought[product] - alike - own[:, None, :]
    others_of = circles.everyone - of - active[:, None, None]
    asked = asked & (of >= LEAST_ALIKE) & (others_of >= of)  # what most people are tells nothing
    share: Floats = others / np.maximum(others_of, 1)
    noise = of * share * (1 - share) * (1 + of / np.maximum(others_of, 1))
    clear = clearly_more(alike.astype(np.float64), of * share, noise, LEAST_CUSTOMERS) * asked
    if not clear.size:
        return
    best = clear.argmax(axis=1)  # (Q, K) which word
    row, column = np.nonzero(clear.max(axis=1) > 0)
    word = best[row, column]
    picked = (table[row, word, column].tolist() for table in (alike, of, share))
    for place, number, customers, size, elsewhere in zip(
        row * lists.shape[1] + column, words[row, word], *picked, strict=True
    ):
        name, value = circles.words[number]
        facts = {"attribute": name, "value": value, "customers": customers, "of": size, "days": YEAR}
        yield int(place), up("same_branch", **facts, elsewhere=round(elsewhere, 4))


def of_everyone(market: Market, lists: Ints) -> Iterator[Told]:
    """What everyone buys more of at this time of the year, more of lately, or simply buys."""
    yield _counted(lists, market.in_season, "season", market.season, market.off_season)
    rising = market.rising
    yield _counted(lists, rising, "rising", market.buyers, market.before)
    yield _counted(lists, (market.buyers > 0) & ~rising, "popular", market.buyers)


def first_order(market: Market, lists: Ints) -> Told:
    """How many of those who lately bought for the first time began with it."""
    first = market.first_orders
    for place, product in _places(lists, first.bought >= LEAST_CUSTOMERS):
        count = int(first.bought[product])
        yield place, up("first_order", customers=count, of=first.customers, days=FIRST_DAYS)


def popular(market: Market, lists: Ints) -> Told:
    """How many bought it, in the span in which anything was sold."""
    for place, product in _places(lists, market.popular > 0):
        yield place, up("popular", customers=int(market.popular[product]), days=market.popular_days)


def _counted(lists: Ints, told: Bools, code: str, now: Ints, before: Ints | None = None) -> Told:
    for place, product in _places(lists, told):
        earlier = {} if before is None else {"before": int(before[product])}
        yield place, up(code, customers=int(now[product]), **earlier, days=MONTH)


def _places(lists: Ints, told: Bools) -> Iterator[tuple[int, int]]:
    flat = lists.ravel()
    found = np.flatnonzero((flat >= 0) & told[np.maximum(flat, 0)]) if len(told) else np.zeros(0, np.int64)
    return zip(found.tolist(), flat[found].tolist(), strict=True)


def _looked_up(circles: Circles, word: Ints, product: Ints) -> Ints:
    """Customers with the word who bought the product; the two are broadcast."""
    table = circles.member_bought
    if not table.nnz:
        return np.zeros(np.broadcast_shapes(word.shape, product.shape), np.int64)
    wanted = word * table.shape[1] + product
    keys = circles.keys
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, table.data[place], 0)
