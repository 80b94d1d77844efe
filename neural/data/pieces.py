"""What everybody pays, and how much they take at once: what is known of every product at a moment."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, History, Ints

Floats32 = npt.NDArray[np.float32]

LATELY, QUARTER = 28.0, 90.0  # days
LEAST = 0.01  # of a price: what costs less counts as this
LONG_AGO = 1000.0  # days since the last sale of what was never sold


@dataclass(frozen=True)
class Pieces:
    """(P,) each, float32. Logarithms are natural; prices are of one piece."""

    quantity: Floats32  # log of the pieces that are usually taken at once (geometric mean)
    price: Floats32  # log of the price paid lately, else of that ever paid; 0 where nobody told
    cheaper: Floats32  # how far that is below the usual price: what is on offer
    pieces: Floats32  # log1p of the pieces sold lately
    crowding: Floats32  # orders of the last weeks to each of their buyers
    discovered: Floats32  # share of the quarter's sales that were their customer's first
    since: Floats32  # log1p of the days since the last sale

    @classmethod
    def at(cls, history: History, width: int, moment: float) -> Self:
        """What the purchases of `width` products before `moment` tell."""
        bought = history.visit_outcome[history.line_visit]
        bought &= history.visit_time[history.line_visit] < moment
        line = np.flatnonzero(bought)
        product, visit = history.line_product[line], history.line_visit[line]
        age = moment - history.visit_time[visit]
        quantity, amount = history.line_quantity[line], history.line_amount[line]
        lately, quarter = age <= LATELY, age <= QUARTER

        def count(rows: npt.NDArray[np.bool_]) -> Ints:
            return np.bincount(product[rows], minlength=width)

        priced, price = unit_price(quantity, amount)
        usual = _mean(product[priced], price[priced], width)
        now = _mean(product[priced & lately], price[priced & lately], width, usual)
        taken = quantity > 0
        buyer = history.visit_customer[visit] * width + product
        first = np.zeros(len(line), bool)
        first[np.unique(buyer, return_index=True)[1]] = True  # lines come by customer, then time
        last = np.full(width, LONG_AGO)
        np.minimum.at(last, product, age)
        sold, buyers = count(lately), np.bincount(np.unique(buyer[lately]) % max(width, 1), minlength=width)
        found = (
            _mean(product[taken], np.log(quantity[taken]), width),
            now,
            usual - now,
            np.log1p(np.bincount(product[lately], np.maximum(quantity[lately], 0), width)),
            sold / np.maximum(buyers, 1),
            count(first & quarter) / np.maximum(count(quarter), 1),
            np.log1p(last),
        )
        return cls(*(each.astype(np.float32) for each in found))

    def table(self) -> Floats32:
        """The columns side by side. (P, len(COLUMNS))"""
        return np.stack([getattr(self, name) for name in COLUMNS], axis=1)


COLUMNS = tuple(field.name for field in fields(Pieces))


def unit_price(quantity: Floats32, amount: Floats32) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Whether a line tells the price of a piece, and its logarithm, 0 where not. 2 x (L,)"""
    known = (quantity > 0) & (amount > 0)
    price = np.where(known, amount, 1.0) / np.where(known, quantity, 1.0)
    return known, np.log(np.maximum(price, LEAST))


def _mean(product: Ints, value: Floats, width: int, otherwise: Floats | None = None) -> Floats:
    """Mean value of each product's lines; `otherwise`, or 0, where it has none. (P,)"""
    number = np.bincount(product, minlength=width)
    found = np.bincount(product, value, width) / np.maximum(number, 1)
    return found if otherwise is None else np.where(number > 0, found, otherwise)
