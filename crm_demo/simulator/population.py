"""Who the customers are: names, tastes, habits and how likely each is to leave."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crm_demo.simulator.catalogue import CATEGORIES, LEAVES, Catalogue, Floats, Ints
from crm_demo.simulator.spec import FACTORS, STAPLES, ShopSpec
from crm_demo.simulator.words import TIERS


class Segment(NamedTuple):
    name: str
    share: float
    business: bool
    gap: float  # median days between orders that are not for staples
    staples: float  # mean number of products bought again and again
    risk: float  # factor on the hazard of leaving


SEGMENTS = (
    Segment("household", 0.45, business=False, gap=95, staples=1.2, risk=1.0),
    Segment("family", 0.25, business=False, gap=65, staples=2.0, risk=0.7),
    Segment("café", 0.12, business=True, gap=45, staples=3.0, risk=0.6),
    Segment("office", 0.10, business=True, gap=55, staples=2.0, risk=0.8),
    Segment("bargain hunter", 0.08, business=False, gap=90, staples=0.3, risk=1.9),
)
COUNTRIES = ("United Kingdom", "China", "Germany", "Ireland")
CHANNELS = ("web", "phone", "shop")
DAILY_HAZARD = 0.0005  # of beginning to leave, for an ordinary customer: about a sixth a year
REGULAR = 0.6  # share of customers who come at steady intervals
LONGEST_HISTORY = 1100  # days before day 0 that the oldest customer joined


@dataclass(frozen=True)
class Population:
    """One chunk of n customers. `staples`, `cycle`, `due` and `next_visit` change while the shop lives."""

    first: int  # number of the chunk's first customer
    segment: Ints  # (n,)
    chinese: np.typing.NDArray[np.bool_]  # (n,) writes Simplified Chinese
    country: Ints  # (n,)
    channel: Ints  # (n,)
    joined: Ints  # (n,) day number, negative for old customers
    taste: Floats  # (n, F)
    thrift: Floats  # (n,) factor on the pull of promotions
    leaf_odds: Floats  # (n, LEAVES) share of free choices, seasons and promotions apart
    order_rate: Floats  # (n,) orders a day, staples apart
    regular: np.typing.NDArray[np.bool_]  # (n,) comes at steady intervals, and for nothing in between
    next_visit: Floats  # (n,) day number; of regular customers alone
    hazard: Floats  # (n,) daily, of beginning to leave
    staples: Ints  # (n, STAPLES) product, -1 for none
    cycle: Floats  # (n, STAPLES) days
    due: Floats  # (n, STAPLES) day number

    def __len__(self) -> int:
        return len(self.segment)


def build_population(spec: ShopSpec, catalogue: Catalogue, chunk: int, first: int, count: int) -> Population:
    rng = spec.rng(3, chunk)
    segment = rng.choice(len(SEGMENTS), count, p=[item.share for item in SEGMENTS])
    chinese = rng.random(count) < 0.3
    centre = spec.rng(4).normal(size=(len(SEGMENTS), FACTORS))  # the same in every chunk
    taste = 0.9 * centre[segment] + 0.7 * rng.normal(size=(count, FACTORS))
    old = rng.random(count) < 0.55
    joined = np.where(
        old, -rng.integers(0, LONGEST_HISTORY, count), rng.integers(0, max(1, spec.days - 10), count)
    )
    leaf_odds = _leaf_odds(rng, catalogue, taste)
    median_gap = np.array([item.gap for item in SEGMENTS])[segment]
    gap = np.clip(median_gap * rng.lognormal(0, 0.8, count), 6, 200)
    start = np.maximum(joined, 0)
    staples = _staples(rng, catalogue, leaf_odds, np.array([item.staples for item in SEGMENTS])[segment])
    cycle = catalogue.cycle[staples] * rng.lognormal(0, 0.3, staples.shape)
    return Population(
        first=first,
        segment=segment,
        chinese=chinese,
        country=np.where(chinese & (rng.random(count) < 0.9), 1, rng.choice([0, 0, 0, 2, 3], count)),
        channel=rng.choice(len(CHANNELS), count, p=[0.7, 0.12, 0.18]),
        joined=joined,
        taste=taste,
        thrift=rng.gamma(2.0, 0.5, count) * np.where(segment == len(SEGMENTS) - 1, 3.0, 1.0),
        leaf_odds=leaf_odds,
        order_rate=1 / gap,
        regular=rng.random(count) < REGULAR,
        next_visit=start + rng.random(count) * gap,
        hazard=DAILY_HAZARD
        * np.array([item.risk for item in SEGMENTS])[segment]
        * rng.lognormal(0, 0.6, count),
        staples=staples,
        cycle=cycle,
        due=start[:, None] + rng.random(staples.shape) * cycle,
    )


def _leaf_odds(rng: np.random.Generator, catalogue: Catalogue, taste: Floats) -> Floats:
    """Softmax of taste · category plus a leaning to cheap or fine tiers, weighted by popularity."""
    category = 0.9 * taste @ catalogue.category_factors.T / np.sqrt(FACTORS) * 2  # (n, C)
    category += np.log(catalogue.category_popularity)
    fineness = rng.normal(0, 0.9, len(taste))[:, None] * (np.arange(len(TIERS)) - 1)  # (n, tiers)
    logits = (category[:, :, None] + fineness[:, None, :]).reshape(len(taste), LEAVES)
    odds: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


def _staples(rng: np.random.Generator, catalogue: Catalogue, leaf_odds: Floats, mean: Floats) -> Ints:
    """Draw what each customer buys again and again from the repeatable categories, by taste."""
    repeatable = np.repeat([item.cycle > 0 for item in CATEGORIES], len(TIERS))
    products = draw_products(rng, np.repeat(leaf_odds * repeatable, STAPLES, axis=0), catalogue, 0)
    products = products.reshape(len(mean), STAPLES)
    wanted = rng.poisson(mean)
    kept = np.arange(STAPLES) < wanted[:, None]
    return np.where(kept & ~_repeated(products), products, -1)


def _repeated(products: Ints) -> np.typing.NDArray[np.bool_]:
    """Mark, row by row, values that stand further left already."""
    same = products[:, :, None] == products[:, None, :]
    earlier: np.typing.NDArray[np.bool_] = np.tril(same, k=-1).any(axis=2)
    return earlier


def draw_products(rng: np.random.Generator, odds: Floats, catalogue: Catalogue, day: int) -> Ints:
    """Draw one product a row: first a leaf by `odds` (m, LEAVES), then a product by its popularity."""
    totals = np.cumsum(odds, axis=1)
    pick = rng.random(len(odds)) * totals[:, -1]
    leaf = np.minimum((totals < pick[:, None]).sum(axis=1), LEAVES - 1)
    shares = np.concatenate([[0.0], np.cumsum(catalogue.weights(day))])
    end = catalogue.leaf_end[leaf]
    start = np.concatenate([[0], catalogue.leaf_end[:-1]])[leaf]
    point = shares[start] + rng.random(len(odds)) * (shares[end] - shares[start])
    product: Ints = np.clip(np.searchsorted(shares, point, side="right") - 1, start, end - 1)
    return product
