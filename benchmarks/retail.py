"""Online Retail II (UCI 502) as a dataset folder, straight through polars."""

import sys
from pathlib import Path

import polars as pl

from benchmarks.report import data_folder
from handoff.dataset import (
    CUSTOMERS,
    MARKET,
    PRODUCTS,
    Manifest,
    shard_of,
    write_events,
    write_manifest,
    write_table,
)

FILE = "online_retail_II.csv.gz"
PRODUCT = r"^\d{5}[A-Z]{0,2}$"


def read_rows(path: Path | None = None) -> pl.DataFrame:
    """Read the file and keep the clean lines: customer known, a product's code, price above 0.

    The first sheet's rows of the days that stand in both sheets are dropped.
    Ends the process with a plain sentence when the file is missing.
    """
    path = path or data_folder() / FILE
    if not path.is_file():
        sys.exit(
            f"{path} is missing. Get Online Retail II from https://doi.org/10.24432/C5CG6D (CC BY 4.0), "
            "save it as gzipped CSV under that name, or name its folder in CRM_DATA_DIR."
        )
    text = {"Invoice": pl.String, "StockCode": pl.String, "Customer ID": pl.String}
    rows = pl.read_csv(path, schema_overrides=text)
    rows = rows.select(
        pl.col("Customer ID").str.strip_chars().str.replace(r"\.0$", "").alias("customer"),
        pl.col("InvoiceDate").str.to_datetime().dt.replace_time_zone("UTC").alias("at"),
        pl.col("Invoice").str.strip_chars().alias("basket"),
        pl.col("StockCode").str.strip_chars().str.to_uppercase().alias("product"),
        pl.col("Quantity").cast(pl.Float64).alias("quantity"),
        pl.col("Price").cast(pl.Float64).alias("price"),
        pl.col("Description").alias("name"),
        pl.col("Country").alias("country"),
    )
    # The second sheet restarts at the overlap: its rows stand after the first row of 2010-12-10 or later.
    sheet = (pl.col("at").diff().dt.total_days() < -1).cum_sum().fill_null(0)
    rows = rows.with_columns(sheet.alias("sheet"))
    start = rows.filter(pl.col("sheet") > 0)["at"].min()
    if start is not None:
        rows = rows.filter((pl.col("sheet") > 0) | (pl.col("at") < start))
    return rows.filter(
        pl.col("customer").is_not_null() & pl.col("product").str.contains(PRODUCT) & (pl.col("price") > 0)
    )


def write_dataset(folder: Path, rows: pl.DataFrame, *, shards: int = 4) -> Manifest:
    """Write clean rows as a dataset: purchases, and cancelled lines as returns."""
    events = rows.select(
        "customer",
        "at",
        pl.when(pl.col("quantity") < 0).then(pl.lit("return")).otherwise(pl.lit("purchase")).alias("kind"),
        "basket",
        "product",
        pl.col("quantity").abs(),
        (pl.col("quantity").abs() * pl.col("price")).alias("amount"),
        pl.lit(None, pl.String).alias("channel"),
        pl.lit(None, pl.String).alias("text"),
    )
    shard = pl.col("customer").map_elements(lambda name: shard_of(name, shards), return_dtype=pl.Int64)
    placed = events.with_columns(shard.alias("shard"))
    for number in range(shards):
        write_events(folder, number, placed.filter(pl.col("shard") == number).drop("shard"))
    write_table(folder, "customers", _customers(rows), CUSTOMERS)
    products = _products(rows)
    write_table(folder, "products", products, PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    times = events.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).row(0)
    kinds = dict(events.group_by("kind").len().sort("kind").iter_rows())
    manifest = Manifest(
        shards=shards,
        currency="GBP",
        watermark=times[1].isoformat(),
        first_event=times[0].isoformat(),
        last_event=times[1].isoformat(),
        events=len(events),
        customers=events["customer"].n_unique(),
        products=len(products),
        kinds=kinds,
        code_version="benchmark",
    )
    return write_manifest(folder, manifest)


def _customers(rows: pl.DataFrame) -> pl.DataFrame:
    country = rows.sort("at").group_by("customer", maintain_order=True).agg(pl.col("country").first())
    attributes = pl.struct("country").struct.json_encode()
    return country.select(
        "customer", pl.lit(None, pl.Datetime("us", "UTC")).alias("since"), attributes.alias("attributes")
    )


def _products(rows: pl.DataFrame) -> pl.DataFrame:
    """Name and price are those of the first sale, so that nothing of them comes from a later window."""
    first = rows.sort("at").group_by("product", maintain_order=True).agg(pl.col("name", "price").first())
    return first.select(
        "product", "name", pl.lit(None, pl.String).alias("category"), "price", pl.lit(True).alias("available")
    )
