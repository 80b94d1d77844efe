"""What all customers buy: everything that a reason says of others, counted once for all customers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neural.data.history import Bools, Floats, Ints
from neural.data.world import World
from neural.reasons.circles import Circles
from neural.reasons.counting import bought_table, buyers, clearly_more
from neural.reasons.newcomers import Alike, FirstOrders
from neural.reasons.together import Together

MONTH = 28  # days: four weeks, so that weekdays do not matter
LAST_YEAR = 364  # days, for the same reason
LEAST_RISEN = 10  # customers
SPANS = (MONTH, 90, 365)  # in which something must have been sold to call it popular; else ever


@dataclass(frozen=True)
class Market:
    """What all customers bought before `as_of`, of P products. Arrays only: they can be kept in a file."""

    as_of: float
    active: int  # customers who bought within the config's `active_days`
    buyers: Ints  # (P,) customers who bought it in the last MONTH
    before: Ints  # (P,) in the MONTH before that
    season: Ints  # (P,) in the MONTH that began LAST_YEAR days ago
    off_season: Ints  # (P,) in the MONTH before that
    popular: Ints  # (P,) in the last `popular_days`
    popular_days: int | None  # the shortest of SPANS in which anything was sold; None for ever
    unsold: Bools  # (P,) never sold to anyone
    together: Together
    circles: Circles
    first_orders: FirstOrders

    @classmethod
    def of(cls, world: World, as_of: float) -> "Market":
        """The market of everybody whom `world` may hold a part of, as far as it was read; kept for others."""
        moment = float(world.market_time(np.asarray([as_of]))[0])
        kept: dict[float, Market] = world.worked_out.setdefault("markets", {})
        if moment not in kept:
            kept[moment] = cls._counted(world.everyone, moment)
        return kept[moment]

    @classmethod
    def _counted(cls, world: World, as_of: float) -> "Market":
        owned = bought_table(world, -np.inf, as_of)
        owners = np.bincount(owned.indices, minlength=owned.shape[1])
        popular, days = _popular(world, as_of, owners)
        year = as_of - LAST_YEAR
        known = year - MONTH >= world.start
        nobody = np.zeros_like(owners)
        return cls(
            as_of=as_of,
            active=len(world.active(as_of)),
            buyers=buyers(world, as_of - MONTH, as_of),
            before=buyers(world, as_of - 2 * MONTH, as_of - MONTH),
            season=buyers(world, year, year + MONTH) if known else nobody,
            off_season=buyers(world, year - MONTH, year) if known else nobody,
            popular=popular,
            popular_days=days,
            unsold=owners == 0,
            together=Together.of(owned),
            circles=Circles.of(world, as_of),
            first_orders=FirstOrders.of(world, as_of),
        )

    @cached_property
    def alike(self) -> Alike:
        return Alike(self.circles)

    @cached_property
    def rising(self) -> Bools:
        """(P,) whether many more buy it than a month ago, beyond what all products gained."""
        return _rose(self.buyers, self.before)

    @cached_property
    def in_season(self) -> Bools:
        """(P,) whether many more bought it from this time of last year on, beyond all products' gain."""
        return _rose(self.season, self.off_season)


def _rose(now: Ints, before: Ints) -> Bools:
    growth = max(now.sum() / max(before.sum(), 1), 1.0)
    expected: Floats = growth * before
    return clearly_more(now.astype(np.float64), expected, now + growth * expected, LEAST_RISEN) > 0


def _popular(world: World, as_of: float, owners: Ints) -> tuple[Ints, int | None]:
    for days in SPANS:
        found = buyers(world, as_of - days, as_of)
        if (found * world.vocabulary.offered).any():
            return found, days
    return owners, None
