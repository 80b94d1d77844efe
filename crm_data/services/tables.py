"""Writes a snapshot's customers, products, market series and labels."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from django.db.models import QuerySet
from django.utils import timezone

from crm_data import labels, reading
from crm_data.services.sieve import Sieve
from crm_data.source import Many, Source
from handoff.dataset import CUSTOMERS, EVENTS, LABELS, MARKET, PRODUCTS, write_table

BATCH = 5_000
PRODUCT_COLUMNS = ("crm_id", "crm_name", "crm_category", "crm_price", "crm_available")
MARKET_COLUMNS = ("crm_series", "crm_scope", "crm_date", "crm_value", "crm_known_ahead")
Done = Callable[[int], None]


def write_customers(source: Source, folder: Path, sieve: Sieve, done: Done) -> int:
    """Write customers.parquet, less those who are left out; return the number of customers."""
    frames = []
    count = 0
    names = reading.customer_columns(source)
    found = reading.customer_rows(source, reading.customers(source))
    for page in reading.pages(found, names, size=BATCH):
        frames.append(sieve.without(_customer_frame(source, names, page), count=False))
        count += len(frames[-1])
        done(count)
    write_table(folder, "customers", pl.concat([CUSTOMERS.to_frame(), *frames]), CUSTOMERS)
    return count


def customer_frame(source: Source, found: QuerySet[Any]) -> pl.DataFrame:
    """Return a few of `reading.customers` as rows of CUSTOMERS."""
    names = reading.customer_columns(source)
    rows = list(reading.customer_rows(source, found).values_list(*names))
    return _customer_frame(source, names, rows)


def _customer_frame(source: Source, names: list[str], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    batch = [dict(zip(names, row, strict=True)) for row in rows]
    return pl.DataFrame(_customers(source, batch), schema=CUSTOMERS, orient="row")


def write_products(source: Source, folder: Path, named: pl.Series, done: Done) -> int:
    """Write products.parquet and return the number of products.

    Products that events name and the Source leaves out stand in it too, as not available, so that
    every product of an event is found.
    """
    frames = []
    every = reading.products(source)
    if every is not None:
        for batch in reading.pages(every, PRODUCT_COLUMNS, size=BATCH):
            rows = [
                (key, name or key, category or None, price, available is not False)
                for key, name, category, price, available in batch
            ]
            frames.append(pl.DataFrame(rows, schema=PRODUCTS, orient="row"))
            done(sum(map(len, frames)))
    present = pl.concat([PRODUCTS.to_frame(), *frames])
    absent = named.filter(~named.is_in(present["product"].implode())).to_frame("product")
    absent = absent.with_columns(
        name="product",
        category=pl.lit(None, pl.String()),
        price=pl.lit(None, pl.Float64()),
        available=pl.lit(value=False),
    )
    whole = pl.concat([present, absent.select(PRODUCTS.names()).cast(PRODUCTS)])
    write_table(folder, "products", whole, PRODUCTS)
    return len(whole)


def write_market(source: Source, folder: Path) -> None:
    """Write market.parquet."""
    frames = []
    found = reading.market(source)
    if found is not None:
        for page in reading.pages(found, MARKET_COLUMNS, size=BATCH):
            frames.append(pl.DataFrame(page, schema=MARKET, orient="row", strict=False))
    write_table(folder, "market", pl.concat([MARKET.to_frame(), *frames]), MARKET)


def write_labels(folder: Path, watermark: dt.datetime, sieve: Sieve) -> int:
    """Write labels.parquet where anybody said anything; return the number of labels.

    What was said after the watermark, or of a customer who is not in this snapshot (any more), is left out.
    """
    frame = label_frame(sieve.suppressed.tenant)
    present = pl.read_parquet(folder / "customers.parquet", columns=["customer"])["customer"]
    frame = frame.filter(
        pl.col("said_at") <= watermark,
        (pl.col("customer") == "") | pl.col("customer").is_in(present.implode()),
    )
    frame = sieve.without(frame, count=False)
    if len(frame):
        write_table(folder, "labels", frame, LABELS)
    return len(frame)


def label_frame(tenant: str, customer_id: str | None = None) -> pl.DataFrame:
    """Return what was said up to now, of everybody or of one customer, as rows of LABELS."""
    rows = [_label(row) for row in labels.said(tenant, customer_id)]
    return pl.DataFrame(rows, schema=LABELS, orient="row").unique()


def _label(row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = (row[name] for name in LABELS.names())
    return tuple(_utc(value) if isinstance(value, dt.datetime) else value for value in values)


def _utc(moment: dt.datetime) -> dt.datetime:
    return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).astimezone(dt.UTC)


def named_products(folder: Path) -> pl.Series:
    """Return the products that the events name, once each."""
    files = sorted((folder / "events").glob("*.parquet"))
    found = pl.scan_parquet(files, schema=EVENTS).select("product").drop_nulls().unique().collect()
    return found["product"].sort()


def _customers(source: Source, batch: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    pks = [row["pk"] for row in batch]
    many = [path for path in source.customers.attributes if isinstance(path, Many)]
    lists = {path.path: reading.many_values(source, path, pks) for path in many}
    rows = []
    for row in batch:
        own = {path: values.get(row["pk"], []) for path, values in lists.items()}
        merged = reading.attributes(reading.declared(source, row), own, row["crm_json"])
        text = json.dumps(merged, sort_keys=True, ensure_ascii=False)
        rows.append((row["crm_id"], reading.to_utc(row["crm_since"], source), text))
    return rows
