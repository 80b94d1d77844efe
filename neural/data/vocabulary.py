"""Vocabularies: which number stands for which product, kind and category.

Only what was seen before the end of training gets an embedding of its own. Products that came later
follow behind them in the numbering; they share the "unknown" embedding and are told apart by their
category, price and recent sales.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.dataset import Dataset
from handoff.files import read_json, write_json
from neural.windows import EPOCH

UNKNOWN = ""  # kinds[0] and categories[0]


@dataclass(frozen=True)
class Vocabulary:
    products: list[str]  # the first `known` have embeddings
    known: int
    kinds: list[str]
    categories: list[str]
    product_category: npt.NDArray[np.int64]  # (P,) index into categories
    product_price: npt.NDArray[np.float32]  # (P,) log1p of the price, 0 where unknown
    offered: npt.NDArray[np.bool_]  # (P,) may be recommended now
    product_names: list[str] = field(default_factory=list)  # (P,) as people read them
    # (P, W) vectors of the names, of width 0 where no text model reads them
    product_text: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    product_text_mean: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.products)}

    def product_index(self, column: pl.Expr) -> pl.Expr:
        """Numbers of a column of product names; -1 for null."""
        return column.replace_strict(self._numbers, default=-1, return_dtype=pl.Int64)

    @cached_property
    def product_row(self) -> npt.NDArray[np.int64]:
        """(P,) row of each product in the embedding table: 0 for one that has none of its own."""
        rows = np.arange(1, len(self.products) + 1)
        rows[self.known :] = 0
        return rows

    def write(self, folder: Path) -> None:
        """Write what was learnt; the rest is read from the dataset of the day."""
        write_json(
            folder / "vocabulary.json",
            {"products": self.products[: self.known], "kinds": self.kinds, "categories": self.categories},
        )


def fit_vocabulary(dataset: Dataset, *, end: float, until: float | None = None) -> Vocabulary:
    """Number what was seen before `end` (days since 1970), in alphabetical order.

    No event from `until` on is read.
    """
    events = dataset.events().filter(pl.col("at") < EPOCH + timedelta(days=end))
    products = (
        events.select(pl.col("product").drop_nulls().unique().sort())
        .collect(engine="streaming")["product"]
        .to_list()
    )
    kinds = (
        events.select(pl.col("kind").drop_nulls().unique().sort())
        .collect(engine="streaming")["kind"]
        .to_list()
    )
    known = dataset.products().filter(pl.col("product").is_in(products))
    categories = known.select(pl.col("category").drop_nulls().unique().sort()).collect()["category"]
    named = [name for name in categories.to_list() if name != UNKNOWN]
    return complete_vocabulary(dataset, products, [UNKNOWN, *kinds], [UNKNOWN, *named], until=until)


def read_vocabulary(folder: Path, dataset: Dataset) -> Vocabulary:
    """Read an artifact's vocabulary and number the dataset's other products behind it."""
    raw = read_json(folder / "vocabulary.json")
    return complete_vocabulary(dataset, raw["products"], raw["kinds"], raw["categories"])


def complete_vocabulary(
    dataset: Dataset,
    products: list[str],
    kinds: list[str],
    categories: list[str],
    *,
    until: float | None = None,
) -> Vocabulary:
    table = dataset.products().collect()
    events = dataset.events()
    if until is not None:
        events = events.filter(pl.col("at") < EPOCH + timedelta(days=until))
    seen = events.select(pl.col("product").drop_nulls().unique()).collect(engine="streaming")["product"]
    later = sorted((set(seen) | set(table["product"])) - set(products))
    names = [*products, *later]
    facts = pl.DataFrame({"product": names}, schema={"product": pl.String}).join(
        table, on="product", how="left", maintain_order="left"
    )
    numbers = {name: number for number, name in enumerate(categories)}
    category = facts["category"].replace_strict(numbers, default=0, return_dtype=pl.Int64)
    price = facts["price"].fill_null(0.0).fill_nan(0.0).clip(lower_bound=0.0).log1p()
    # A product that left the products table is sold no more; a host without such a table offers all it sold.
    listed = facts["product"].is_in(table["product"].to_list()) if len(table) else len(names) * [True]
    offered = np.asarray(listed, bool) & facts["available"].fill_null(True).to_numpy().astype(bool)
    return Vocabulary(
        products=names,
        known=len(products),
        kinds=kinds,
        categories=categories,
        product_category=category.fill_null(0).to_numpy().astype(np.int64),
        product_price=price.to_numpy().astype(np.float32),
        offered=offered,
        product_names=facts["name"].fill_null(facts["product"]).to_list(),
        product_text=np.zeros((len(names), 0), np.float32),
    )
