"""What the kept rows say of customers and products: one line each."""

from dataclasses import dataclass, field

import polars as pl


@dataclass
class Gathered:
    """Collects part after part. Customers never span parts; products do, and are settled at the end."""

    _customers: list[pl.DataFrame] = field(default_factory=list)
    _descriptions: list[pl.DataFrame] = field(default_factory=list)
    _products: list[pl.DataFrame] = field(default_factory=list)

    def add(self, purchases: pl.DataFrame) -> None:
        """Note the purchases of one part."""
        ordered = purchases.sort("at", "line")
        self._customers.append(
            ordered.group_by("customer").agg(name=_latest("customer_name"), country=_latest("country"))
        )
        self._descriptions.append(
            ordered.filter(pl.col("description").is_not_null())
            .group_by("product", "description")
            .agg(rows=pl.len(), at=pl.col("at").last())
        )
        self._products.append(
            ordered.group_by("product").agg(
                category=_latest("category"), price=_latest("price"), at=pl.col("at").last()
            )
        )

    def customers(self) -> pl.DataFrame:
        """Return code, name and latest country of every customer; without a name the code is the name."""
        every = pl.concat(self._customers)
        return every.select(
            code="customer", name=pl.coalesce("name", "customer"), country=pl.col("country").fill_null("")
        ).sort("code")

    def products(self) -> pl.DataFrame:
        """Return code, most frequent description (the latest of equals), category and latest price."""
        names = (
            pl.concat(self._descriptions)
            .group_by("product", "description")
            .agg(pl.col("rows").sum(), pl.col("at").max())
            .sort("rows", "at", "description", descending=[True, True, False])
            .group_by("product")
            .agg(name=pl.col("description").first())
        )
        every = (
            pl.concat(self._products)
            .sort("at")
            .group_by("product")
            .agg(category=_latest("category"), price=_latest("price"))
        )
        return (
            every.join(names, on="product", how="left")
            .select(
                code="product",
                name=pl.coalesce("name", "product"),
                category=pl.col("category").fill_null(""),
                price=pl.col("price").round(2),
            )
            .sort("code")
        )


def _latest(name: str) -> pl.Expr:
    return pl.col(name).drop_nulls().last()
