"""The purchases that every peer reads: flat arrays in time order, asked for what lies before a moment."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from handoff.dataset import Dataset
from neural.data.world import World

Array = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY = 86_400_000_000  # microseconds
FOREVER = 1e9  # days: a decay that leaves everything as it is


@dataclass(frozen=True)
class Log:
    """L lines, one for each different product of a basket; baskets are numbered by customer, then time."""

    customer: Ints  # (L,)
    product: Ints  # (L,)
    basket: Ints  # (L,)
    time: Floats  # (L,) days since 1970, ascending
    price: Floats  # (L,) paid for one piece
    family: Ints  # (P,) products whose codes begin with the same digits are variants of one
    start: float  # of the history
    customers: int
    products: int
    names: list[str]  # of the customers
    codes: list[str]  # of the products
    titles: list[str]  # of the products, "" where there is none

    @classmethod
    def of(cls, world: World) -> "Log":
        """The same lines that the world holds, with the price paid beside each."""
        history = world.history
        bought = history.visit_outcome[history.line_visit]
        visit, product = history.line_visit[bought], history.line_product[bought]
        customer, time = history.visit_customer[visit], history.visit_time[visit]
        frame = pl.DataFrame(
            {"customer": customer, "product": product, "basket": visit, "time": time, "day": np.floor(time)}
        )
        frame = frame.with_columns(pl.col("day").cast(pl.Int64))
        frame = frame.join(_prices(world), on=["customer", "product", "day"], how="left").sort(
            "time", "basket"
        )
        return cls(
            *(frame[name].to_numpy() for name in ("customer", "product", "basket", "time")),
            price=frame["price"].fill_null(1.0).to_numpy(),
            family=_families(world.vocabulary.products),
            start=world.start,
            customers=len(history.customers),
            products=len(world.vocabulary.products),
            names=list(world.history.customers),
            codes=list(world.vocabulary.products),
            titles=_titles(world),
        )

    def before(self, moment: float) -> slice:
        return slice(0, int(np.searchsorted(self.time, moment)))

    def between(self, start: float, stop: float) -> slice:
        return slice(int(np.searchsorted(self.time, start)), int(np.searchsorted(self.time, stop)))

    def counts(self, moment: float, decay: float = FOREVER) -> sparse.csr_array:
        """How many baskets of each customer held each product, those of long ago weighing less. (N, P)"""
        part = self.before(moment)
        weight = np.exp(-(moment - self.time[part]) / decay)
        return self.matrix(part, weight)

    def matrix(self, part: slice, weight: Floats) -> sparse.csr_array:
        """Sum of the weights of some lines by customer and product. (N, P)"""
        shape = (self.customers, self.products)
        return sparse.coo_array((weight, (self.customer[part], self.product[part])), shape=shape).tocsr()

    def sold(self, start: float, stop: float) -> Floats:
        """Number of baskets that held each product in [start, stop). (P,)"""
        return np.bincount(self.product[self.between(start, stop)], minlength=self.products).astype(float)

    def buyers(self, start: float, stop: float) -> Ints:
        """Customers with a purchase in [start, stop) and one before it."""
        now = np.unique(self.customer[self.between(start, stop)])
        return now[np.isin(now, self.customer[self.before(start)])]

    @cached_property
    def first_sale(self) -> Floats:
        first = np.full(self.products, np.inf)
        np.minimum.at(first, self.product, self.time)
        return first


def _families(products: Sequence[str]) -> Ints:
    stems = [re.sub(r"\D+$", "", product) for product in products]
    numbers = {stem: number for number, stem in enumerate(dict.fromkeys(stems))}
    return np.array([numbers[stem] for stem in stems], np.int64)


def _titles(world: World) -> list[str]:
    names = dict(
        Dataset.open(world.config.dataset).products().select("product", "name").collect().iter_rows()
    )
    return [names.get(product) or "" for product in world.vocabulary.products]


def _prices(world: World) -> pl.DataFrame:
    """What each customer paid for one piece of each product on each day."""
    numbers = pl.DataFrame(
        {
            "name": world.history.customers,
            "number": np.arange(len(world.history.customers)),
        }
    )
    events = (
        Dataset.open(world.config.dataset).events().filter(pl.col("kind").is_in(world.config.outcome_kinds))
    )
    events = events.filter(pl.col("quantity") > 0).join(
        numbers.lazy(), left_on="customer", right_on="name", how="inner"
    )
    found = events.select(
        pl.col("number").alias("customer"),
        world.vocabulary.product_index(pl.col("product")).cast(pl.Int64).alias("product"),
        (pl.col("at").dt.epoch("us") // DAY).alias("day"),
        (pl.col("amount") / pl.col("quantity")).alias("price"),
    )
    return found.group_by("customer", "product", "day").agg(pl.col("price").mean()).collect()
