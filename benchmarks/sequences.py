"""A file of interactions as a dataset in which leaving the last item out is a cut-off in time.

Every user's last item is moved to one day, the item before it to the day before, and so on. The product's
own windows of one day then ask for the next item, and nothing that comes after it is known: training ends
before each user's last two items, the last but one validates, the last one is the test.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from handoff.dataset import (
    CUSTOMERS,
    MARKET,
    PRODUCTS,
    Manifest,
    write_events,
    write_manifest,
    write_table,
)

LAST = datetime(2020, 1, 1, tzinfo=UTC)  # the day of everybody's last item
FEWEST = 3  # interactions of a user: something to learn from, to validate on, to test on
HEADS = {"user", "user_id", "userid", "customer", "customer_id"}
FIELDS = re.compile(r"[,;\t ]+")


class UnreadableFile(ValueError):
    """The file holds no interactions; the message says what to change."""


def read_sequences(path: Path) -> pl.DataFrame:
    """Read `user item [time]`, by spaces, tabs or commas, with or without a head; columns user, item.

    Rows come in the order of time, or of the file where it has none. Users with fewer than FEWEST
    interactions are left out. Raises UnreadableFile.
    """
    lines = [FIELDS.split(line.strip()) for line in path.read_text().splitlines() if line.strip()]
    if lines and lines[0][0].lower() in HEADS:
        lines = lines[1:]
    widths = {len(line) for line in lines}
    if not widths or min(widths) < 2 or len(widths) > 1:
        raise UnreadableFile(f"{path}: each line must read `user item` or `user item time`.")
    frame = pl.DataFrame({"user": [line[0] for line in lines], "item": [line[1] for line in lines]})
    if widths != {2}:
        if not all(_is_number(line[2]) for line in lines):
            raise UnreadableFile(f"{path}: the third column must be a number, the time of the interaction.")
        frame = frame.with_columns(time=pl.Series([float(line[2]) for line in lines]))
        frame = frame.sort("time", maintain_order=True).drop("time")
    return frame.filter(pl.len().over("user") >= FEWEST)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_sequences(folder: Path, rows: pl.DataFrame, *, skip_validation: bool = False) -> Manifest:
    """Write `read_sequences`' rows as a dataset; `skip_validation` leaves every last item but one out."""
    back = pl.int_range(pl.len()).reverse().over("user")  # 0 for the last item
    placed = rows.with_columns(back=back)
    if skip_validation:
        placed = placed.filter(pl.col("back") != 1)
        placed = placed.with_columns(back=pl.when(pl.col("back") > 1).then(pl.col("back") - 1).otherwise(0))
    noon = LAST + timedelta(hours=12)
    events = placed.select(
        pl.col("user").alias("customer"),
        (pl.lit(noon) - pl.duration(days=pl.col("back"))).alias("at"),
        pl.lit("purchase").alias("kind"),
        pl.lit(None, pl.String).alias("basket"),
        pl.col("item").alias("product"),
        pl.lit(1.0).alias("quantity"),
        pl.lit(1.0).alias("amount"),
        pl.lit(None, pl.String).alias("channel"),
        pl.lit(None, pl.String).alias("text"),
    )
    write_events(folder, 0, events)
    empty = pl.lit(None, pl.String)
    users, items = events.select(pl.col("customer").unique().sort()), events["product"].unique().sort()
    since = pl.lit(None, pl.Datetime("us", "UTC")).alias("since")
    write_table(
        folder, "customers", users.select("customer", since, pl.lit("{}").alias("attributes")), CUSTOMERS
    )
    products = pl.DataFrame({"product": items}).select(
        "product",
        empty.alias("name"),
        empty.alias("category"),
        pl.lit(1.0).alias("price"),
        pl.lit(True).alias("available"),
    )
    write_table(folder, "products", products, PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    first, last = events.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).row(0)
    return write_manifest(
        folder,
        Manifest(
            shards=1,
            currency="",
            watermark=last.isoformat(),
            first_event=first.isoformat(),
            last_event=last.isoformat(),
            events=len(events),
            customers=len(users),
            products=len(products),
            kinds={"purchase": len(events)},
            code_version="benchmark",
        ),
    )
