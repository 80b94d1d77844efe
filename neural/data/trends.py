"""What the market buys: sales of every product in the days before a moment and a year ago, and its buyers."""

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, History, Ints

WINDOWS = (  # (length, distance of its end), in whole days
    (7, 0),
    (28, 0),
    (90, 0),
    (28, 365 - 28),  # the coming season, as it was a year ago
    (28, 365),  # the weeks before it
    (56, 365 - 56),
)
WEEK, MONTH, QUARTER, SEASON, BEFORE = range(5)
FEATURES = len(WINDOWS) + 6
KEPT_DAYS = 64
USUAL_BUYERS, USUAL_SALES = 2.0, 6.0  # of a product hardly ever sold: it counts as bought again now and then


class Trends:
    """Cumulative count of visits that bought each product, by whole day: a query is two look-ups.

    Who asks later than `until`, where the history ends, is told of that moment.
    """

    def __init__(self, history: History, products: int, until: float = np.inf) -> None:
        self.until = until
        self._days: dict[int, npt.NDArray[np.float32]] = {}  # features of the days asked about last
        bought = history.visit_outcome[history.line_visit]
        day = np.floor(history.visit_time[history.line_visit[bought]]).astype(np.int64)
        self.first_day = int(day.min()) if len(day) else 0
        days = int(day.max()) - self.first_day + 1 if len(day) else 0
        cell = (day - self.first_day) * products + history.line_product[bought]
        daily = np.zeros((days + 1, products), np.int32)
        np.add.at(daily[1:].reshape(-1), cell, 1)
        # In place: with many products and years this is the largest of all that is known of everybody.
        self._sold = np.cumsum(daily, axis=0, dtype=np.int32, out=daily)  # (days + 1, P) before each day
        owner = history.visit_customer[history.line_visit[bought]]
        pairs, first = np.unique(owner * products + history.line_product[bought], return_index=True)
        self._pair_product = (pairs % max(products, 1)).astype(np.int32)  # who bought what,
        self._pair_day = (day[first] - self.first_day).astype(np.int32)  # and on which day first; lines
        # come by customer and time, so that the first line of a pair is its first purchase

    def sales(self, day: int, length: int, distance: int = 0) -> npt.NDArray[np.int32]:
        """Sales in the `length` whole days that end `distance` days before `day` begins. (P,)"""
        stop = self._row(day - distance)
        sold: npt.NDArray[np.int32] = self._sold[stop] - self._sold[self._row(day - distance - length)]
        return sold

    def buyers(self, day: int) -> Ints:
        """Number of different customers who bought each product before `day` begins. (P,)"""
        early = self._pair_product[self._pair_day < day - self.first_day]
        return np.bincount(early, minlength=self._sold.shape[1])

    def features(self, time: Floats) -> tuple[npt.NDArray[np.float32], Ints]:
        """Numbers of every product for each different day of `time`, (D, P, FEATURES), and its row (Q,).

        They are log1p of the sales in WINDOWS; how the season begins, how the last weeks go and what both
        lead to expect; the product's age and buyers, and how much of it is bought again.
        """
        days, row = np.unique(np.floor(np.minimum(time, self.until)).astype(np.int64), return_inverse=True)
        found = [self._of_day(int(day)) for day in days]
        shape = (0, self._sold.shape[1], FEATURES)
        return (np.stack(found) if found else np.zeros(shape, np.float32)), row

    def _of_day(self, day: int) -> npt.NDArray[np.float32]:
        if day not in self._days:
            if len(self._days) >= KEPT_DAYS:
                self._days.clear()
            self._days[day] = self._work_out(day)
        return self._days[day]

    def _work_out(self, day: int) -> npt.NDArray[np.float32]:
        sales = [np.log1p(self.sales(day, *window).astype(np.float32)) for window in WINDOWS]
        season = (sales[SEASON] - sales[BEFORE]) * (day - 365 >= self.first_day)
        total, buyers = self._sold[self._row(day)], self.buyers(day)
        born = np.argmax(self._sold[1:] > 0, axis=0) if len(self._sold) > 1 else np.zeros(len(total))
        columns = [
            *sales,
            season,
            sales[MONTH] - np.log1p(np.expm1(sales[QUARTER]) * WINDOWS[MONTH][0] / WINDOWS[QUARTER][0]),
            sales[MONTH] + season,
            np.where(total > 0, np.log1p(np.maximum(day - self.first_day - born, 0)) / 3, 0.0),
            np.log1p(buyers) / 3,
            1 - (buyers + USUAL_BUYERS) / (total + USUAL_SALES),
        ]
        return np.stack(columns, axis=1).astype(np.float32)

    def _row(self, day: int) -> int:
        return min(max(day - self.first_day, 0), len(self._sold) - 1)
