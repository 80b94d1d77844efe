"""The whole shop as tables: catalogue and market at once, customers in chunks of bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from crm_demo.simulator.catalogue import CATEGORY_NAMES, Catalogue, build_catalogue
from crm_demo.simulator.codes import product_code
from crm_demo.simulator.events import interactions
from crm_demo.simulator.life import live
from crm_demo.simulator.market import Market, build_market
from crm_demo.simulator.people import customers
from crm_demo.simulator.population import build_population
from crm_demo.simulator.spec import CHUNK, ShopSpec
from crm_demo.simulator.truth import truth


@dataclass(frozen=True)
class Chunk:
    """Some customers, all that happened between them and the shop, and the truth about them."""

    customers: pl.DataFrame  # code name email since country attributes
    interactions: pl.DataFrame  # customer product kind at quantity amount basket channel text, by time
    truth: pl.DataFrame  # see crm_demo.simulator.truth


class Shop:
    """A simulated shop. The same spec gives the same tables."""

    def __init__(self, spec: ShopSpec) -> None:
        self.spec = spec

    @cached_property
    def catalogue(self) -> Catalogue:
        return build_catalogue(self.spec)

    @cached_property
    def market(self) -> Market:
        return build_market(self.spec)

    def products(self) -> pl.DataFrame:
        """Return code, name, category, price and availability of what was launched so far."""
        items, last_day = self.catalogue, self.spec.days - 1
        frame = pl.DataFrame(
            {
                "number": np.arange(len(items.leaf)),
                "name": items.names,
                "category": np.array(CATEGORY_NAMES)[items.category],
                "price": np.round(items.price * self.market.price_index[last_day], 2),
                "available": items.withdrawn > last_day,
            }
        )
        return frame.select(product_code(pl.col("number")).alias("code"), pl.exclude("number"))

    def indicators(self) -> pl.DataFrame:
        """Return series, scope, date, value and known_ahead of the market."""
        return self.market.frame(self.spec)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the customers, about 4,000 at a time."""
        for number, first in enumerate(range(0, self.spec.customers, CHUNK)):
            yield self._chunk(number, first, min(CHUNK, self.spec.customers - first))

    def _chunk(self, number: int, first: int, count: int) -> Chunk:
        people = build_population(self.spec, self.catalogue, number, first, count)
        life = live(self.spec, self.catalogue, self.market, people, number)
        events = interactions(self.spec, self.catalogue, self.market, people, life, number)
        return Chunk(
            customers=customers(self.spec, people, number),
            interactions=events.filter(pl.col("at") <= self.spec.until),
            truth=truth(self.spec, people, life, events),
        )
