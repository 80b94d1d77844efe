"""The market around the shop: seasons, promotions, holidays, price index, footfall."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from crm_demo.simulator.catalogue import CATEGORIES, CATEGORY_NAMES, Floats
from crm_demo.simulator.spec import ShopSpec

# month, day, name; the same every year
HOLIDAYS = (
    (1, 1, "New Year"),
    (5, 1, "Labour Day"),
    (10, 1, "National Day"),
    (12, 25, "Christmas"),
    (12, 26, "Boxing Day"),
)
WEEKDAY_DEMAND = np.array([1.05, 1.05, 1.0, 1.05, 1.2, 1.0, 0.65])  # Monday … Sunday


@dataclass(frozen=True)
class Market:
    """Daily series, from day 0 into the future that only the ground truth knows. D days, C categories."""

    dates: list[date]
    season: Floats  # (D, C) demand for a category relative to its peak
    discount: Floats  # (D, C) share taken off the price
    holiday: Floats  # (D,) 0 or 1
    price_index: Floats  # (D,)
    footfall: Floats  # (D,) visitors relative to an ordinary day; carries the shop's own demand

    def frame(self, spec: ShopSpec) -> pl.DataFrame:
        """Return the rows of MarketIndicator: what is known ahead reaches into the future."""
        past = self.dates[: spec.days]
        parts = [
            _series("price_index", past, self.price_index, known_ahead=False),
            _series("footfall", past, self.footfall, known_ahead=False),
            _series("holiday", self.dates, self.holiday, known_ahead=True),
        ]
        for number, name in enumerate(CATEGORY_NAMES):
            parts.append(
                _series("promotion", self.dates, self.discount[:, number], known_ahead=True, scope=name)
            )
        frame = pl.concat(parts)
        return frame.filter(~pl.col("series").is_in(["holiday", "promotion"]) | (pl.col("value") > 0))


def _series(
    name: str, dates: list[date], values: Floats, *, known_ahead: bool, scope: str = ""
) -> pl.DataFrame:
    columns = {"date": dates, "value": np.round(values[: len(dates)], 4)}
    return pl.DataFrame(columns).select(
        pl.lit(name).alias("series"),
        pl.lit(scope).alias("scope"),
        "date",
        "value",
        pl.lit(known_ahead).alias("known_ahead"),
    )


def build_market(spec: ShopSpec) -> Market:
    rng = spec.rng(2)
    dates = [spec.first_day.date() + timedelta(days=day) for day in range(spec.all_days)]
    holiday = np.array([any((d.month, d.day) == (m, n) for m, n, _ in HOLIDAYS) for d in dates], dtype=float)
    drift = np.cumsum(rng.normal(0.03 / 365, 0.0006, len(dates)))
    return Market(
        dates=dates,
        season=_seasons(dates),
        discount=_promotions(spec, rng, dates),
        holiday=holiday,
        price_index=1 + drift,
        footfall=_footfall(rng, dates, holiday),
    )


def _seasons(dates: list[date]) -> Floats:
    day_of_year = np.array([day.timetuple().tm_yday for day in dates])
    result = np.ones((len(dates), len(CATEGORIES)))
    for number, item in enumerate(CATEGORIES):
        if item.peak:
            distance = np.abs((day_of_year - item.peak + 182) % 365 - 182)
            result[:, number] = item.off_season + (1 - item.off_season) * np.exp(-((distance / 28) ** 2))
    return result


def _promotions(spec: ShopSpec, rng: np.random.Generator, dates: list[date]) -> Floats:
    """One category every ten days or so, and the whole shop at the end of November."""
    discount = np.zeros((len(dates), len(CATEGORIES)))
    for start in range(5, len(dates), 10):
        first = start + int(rng.integers(0, 5))
        chosen = int(rng.integers(len(CATEGORIES)))
        depth = float(rng.choice([0.1, 0.15, 0.2, 0.3]))
        discount[first : first + int(rng.integers(5, 10)), chosen] = depth
    black_week = np.array([(day.month, day.day) >= (11, 24) and day.month == 11 for day in dates])
    discount[black_week] = np.maximum(discount[black_week], 0.15)
    return discount


def _footfall(rng: np.random.Generator, dates: list[date], holiday: Floats) -> Floats:
    weekday = WEEKDAY_DEMAND[[day.weekday() for day in dates]]
    month = np.array([0.9, 0.95, 1, 1, 1, 1, 0.95, 0.85, 1, 1.05, 1.2, 1.3])[[day.month - 1 for day in dates]]
    noise = rng.lognormal(0, 0.08, len(dates))
    result: Floats = weekday * month * noise * np.where(holiday > 0, 0.2, 1.0)
    return result
