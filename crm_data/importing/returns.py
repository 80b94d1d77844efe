"""Cancellations and the purchases they reverse."""

from collections import defaultdict
from datetime import datetime

import polars as pl

_PAIR = ["customer", "product"]


def match_returns(purchases: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """Add `return_of`, the key of the reversed purchase, to `returns`; null where there is none.

    A return, in order of time, reverses the newest earlier purchase of the same customer and product
    that has at least its quantity left; that quantity is then used up.
    """
    ordered = returns.sort("at", "line")
    open_purchases = _open_purchases(purchases, returns)
    found = [
        _reverse(open_purchases[customer, product], at, quantity)
        for customer, product, at, quantity in ordered.select(*_PAIR, "at", "quantity").iter_rows()
    ]
    return ordered.with_columns(pl.Series("return_of", found, dtype=pl.String))


class _Open:
    """A purchase and what is left of it."""

    __slots__ = ("at", "key", "left")

    def __init__(self, at: datetime, left: float, key: str) -> None:
        self.at = at
        self.left = left
        self.key = key


def _open_purchases(
    purchases: pl.DataFrame, returns: pl.DataFrame
) -> defaultdict[tuple[str, str], list[_Open]]:
    """Return the purchases of every customer and product in `returns`, newest first."""
    relevant = purchases.join(returns.select(_PAIR).unique(), on=_PAIR, how="semi")
    found: defaultdict[tuple[str, str], list[_Open]] = defaultdict(list)
    newest_first = relevant.sort("at", "line", descending=True).select(*_PAIR, "at", "quantity", "key")
    for customer, product, at, quantity, key in newest_first.iter_rows():
        found[customer, product].append(_Open(at, quantity, key))
    return found


def _reverse(candidates: list[_Open], at: datetime, quantity: float) -> str | None:
    for purchase in candidates:
        if purchase.at <= at and purchase.left >= quantity:
            purchase.left -= quantity
            return purchase.key
    return None
