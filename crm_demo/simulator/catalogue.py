"""What the shop sells, and how it is related: departments, categories, price tiers, repeat cycles."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crm_demo.simulator.spec import FACTORS, ShopSpec
from crm_demo.simulator.words import BRANDS, TIERS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Category(NamedTuple):
    department: int
    name: str
    cycle: int = 0  # days until it is used up; 0 = bought once in a while
    price: float = 10.0
    peak: int = 0  # day of the year of its season; 0 = none
    off_season: float = 1.0  # demand outside its season, as a share of the peak's
    returned: float = 0.02  # share of lines that come back
    goes_with: str = ""  # category that is needed with it


CATEGORIES = (
    Category(0, "Coffee beans", cycle=41, price=13),
    Category(0, "Tea", cycle=65, price=8),
    Category(0, "Coffee machines", price=140, returned=0.06, goes_with="Coffee beans"),
    Category(0, "Mugs and cups", price=11, returned=0.03),
    Category(0, "Chocolate", cycle=51, price=6, peak=350, off_season=0.5),
    Category(1, "Cookware", price=48, returned=0.05),
    Category(1, "Kitchen knives", price=39, returned=0.04),
    Category(1, "Spices", cycle=102, price=5),
    Category(1, "Oil and vinegar", cycle=85, price=12),
    Category(1, "Baking", cycle=76, price=7, peak=345, off_season=0.6),
    Category(2, "Cleaning", cycle=68, price=6),
    Category(2, "Laundry", cycle=76, price=10),
    Category(2, "Paper goods", cycle=51, price=7),
    Category(2, "Water jugs", price=27, goes_with="Filter cartridges"),
    Category(2, "Filter cartridges", cycle=71, price=15),
    Category(3, "Pet food", cycle=36, price=22),
    Category(3, "Pet treats", cycle=48, price=5),
    Category(3, "Pet toys", price=9, returned=0.04),
    Category(3, "Pet beds", price=45, returned=0.07),
    Category(4, "Garden seeds", price=4, peak=95, off_season=0.1),
    Category(4, "Garden tools", price=24, peak=110, off_season=0.25),
    Category(4, "Barbecue", price=33, peak=180, off_season=0.12),
    Category(4, "Candles", cycle=94, price=9, peak=340, off_season=0.4),
    Category(4, "Christmas decorations", price=8, peak=342, off_season=0.02),
    Category(5, "Stationery", cycle=94, price=6, peak=245, off_season=0.6),
    Category(5, "Printers", price=115, returned=0.05, goes_with="Ink and toner"),
    Category(5, "Ink and toner", cycle=102, price=32),
    Category(5, "Office chairs", price=160, returned=0.08),
    Category(5, "Desk lamps", price=36, peak=320, off_season=0.7, returned=0.05),
    Category(5, "Bags", price=42, returned=0.06),
)
CATEGORY_NAMES = [category.name for category in CATEGORIES]
LEAVES = len(CATEGORIES) * len(TIERS)  # a leaf is one price tier of one category
TIER_PRICE = np.array([0.75, 1.0, 1.6])


@dataclass(frozen=True)
class Catalogue:
    """Products sorted by leaf, so that a leaf is a slice. J products, C categories, F factors."""

    names: list[str]
    leaf: Ints  # (J,)
    price: Floats  # (J,)
    popularity: Floats  # (J,) within the leaf
    cycle: Floats  # (J,) days, 0 where not repeated
    launched: Ints  # (J,) day number, 0 for what was there from the start
    withdrawn: Ints  # (J,) day number, beyond the end for what stays
    complement: Ints  # (J,) product needed with it, -1 for none
    leaf_end: Ints  # (LEAVES,) one past the leaf's last product
    category_factors: Floats  # (C, F)
    category_popularity: Floats  # (C,)

    @property
    def category(self) -> Ints:
        return self.leaf // len(TIERS)

    def weights(self, day: int) -> Floats:
        """Return (J,) how strongly each product is chosen within its leaf on a day."""
        on_sale = (self.launched <= day) & (day < self.withdrawn)
        fresh = (self.launched > 0) & (day - self.launched < 60)
        return self.popularity * on_sale * np.where(fresh, 2.0, 1.0)


def build_catalogue(spec: ShopSpec) -> Catalogue:
    rng = spec.rng(1)
    count = spec.products
    leaf = np.sort(np.arange(count) % LEAVES)
    rank = np.arange(count) - np.searchsorted(leaf, leaf)
    category = leaf // len(TIERS)
    departments = rng.normal(size=(6, FACTORS))
    launched, withdrawn = _shelf_life(spec, rng, rank)
    cycle = np.array([item.cycle for item in CATEGORIES])[category] * rng.lognormal(0, 0.15, count)
    price = np.array([item.price for item in CATEGORIES])[category] * TIER_PRICE[leaf % len(TIERS)]
    return Catalogue(
        names=[_name(int(one), int(place)) for one, place in zip(leaf, rank, strict=True)],
        leaf=leaf,
        price=np.round(price * rng.lognormal(0, 0.12, count), 2),
        popularity=np.power(rank + 1.0, -0.9).astype(np.float64),
        cycle=cycle,
        launched=launched,
        withdrawn=withdrawn,
        complement=_complements(rng, leaf),
        leaf_end=np.searchsorted(leaf, np.arange(LEAVES), side="right"),
        category_factors=departments[[item.department for item in CATEGORIES]]
        + 0.5 * rng.normal(size=(len(CATEGORIES), FACTORS)),
        category_popularity=rng.lognormal(0, 0.35, len(CATEGORIES)),
    )


def _shelf_life(spec: ShopSpec, rng: np.random.Generator, rank: Ints) -> tuple[Ints, Ints]:
    """A fifth of the products is new, a few are withdrawn; the first of each leaf always stays."""
    count, movable = len(rank), rank > 0
    new = movable & (rng.random(count) < 0.2)
    launched = np.where(new, rng.integers(30, spec.days - 20, count), 0)
    leaving = movable & ~new & (rng.random(count) < 0.06)
    withdrawn = np.where(leaving, rng.integers(spec.days // 4, spec.days, count), spec.all_days + 1)
    return launched, np.maximum(withdrawn, launched + 1)


def _complements(rng: np.random.Generator, leaf: Ints) -> Ints:
    """Tie each durable product to one consumable of the category it goes with."""
    tiers = len(TIERS)
    result = np.full(len(leaf), -1)
    for number, item in enumerate(CATEGORIES):
        if not item.goes_with:
            continue
        mine = np.flatnonzero(leaf // tiers == number)
        needed = np.flatnonzero(leaf // tiers == CATEGORY_NAMES.index(item.goes_with))
        result[mine] = rng.choice(needed, len(mine))
    return result


def _name(leaf: int, rank: int) -> str:
    category, tier = divmod(leaf, len(TIERS))
    noun = CATEGORIES[category].name
    brand = BRANDS[(rank * 7 + category * 5 + tier * 3) % len(BRANDS)]
    series = rank // len(BRANDS)
    return f"{brand} {noun.lower()}, {TIERS[tier]}" + (f" No. {series + 1}" if series else "")
