"""What the market buys: sales of every product in the days before a moment, and a year before it."""

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, History, Ints

WINDOWS = ((7, 0), (28, 0), (28, 365 - 28))  # (length, distance of its end), in whole days
FEATURES = len(WINDOWS)


class Trends:
    """Cumulative count of visits that bought each product, by whole day: a query is two look-ups."""

    def __init__(self, history: History, products: int) -> None:
        bought = history.visit_outcome[history.line_visit]
        day = np.floor(history.visit_time[history.line_visit[bought]]).astype(np.int64)
        self.first_day = int(day.min()) if len(day) else 0
        days = int(day.max()) - self.first_day + 1 if len(day) else 0
        cell = (day - self.first_day) * products + history.line_product[bought]
        daily = np.zeros((days + 1, products), np.int32)
        daily[1:] = np.bincount(cell, minlength=days * products).reshape(days, products)
        self._sold = np.add.accumulate(daily, axis=0)  # (days + 1, P) sold before each day begins

    def sales(self, day: int, length: int, distance: int = 0) -> npt.NDArray[np.int32]:
        """Sales in the `length` whole days that end `distance` days before `day` begins. (P,)"""
        stop = self._row(day - distance)
        sold: npt.NDArray[np.int32] = self._sold[stop] - self._sold[self._row(day - distance - length)]
        return sold

    def features(self, time: Floats) -> tuple[npt.NDArray[np.float32], Ints]:
        """Return log1p of the sales for each different day of `time`, (D, P, FEATURES), and its row (Q,)."""
        days, row = np.unique(np.floor(time).astype(np.int64), return_inverse=True)
        found = [[self.sales(int(day), *window) for window in WINDOWS] for day in days]
        return np.log1p(np.asarray(found, np.float32)).transpose(0, 2, 1), row

    def _row(self, day: int) -> int:
        return min(max(day - self.first_day, 0), len(self._sold) - 1)
