"""The way into databases without COPY: plain INSERTs in batches, without a model instance for each row."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from django.db import connections

from crm_data.importing.settling import SETTLED
from crm_data.models import Customer, Interaction, Product

BATCH = 5_000
_FIELDS = (
    "customer",
    "product",
    "kind",
    "at",
    "quantity",
    "amount",
    "currency",
    "basket",
    "channel",
    "text",
    "key",
    "return_of",
    "changed_at",
)


def insert_interactions(
    paths: Sequence[Path], *, changed_at: datetime, using: str, on_rows: Callable[[int], None]
) -> int:
    """Store the interactions of the files and return how many were new. Needs an open transaction."""
    products = dict(Product.objects.using(using).values_list("code", "id").iterator())
    fresh_table = not Interaction.objects.using(using).filter(key__isnull=False).exists()
    statement = _statement(using)
    stored = 0
    with connections[using].cursor() as cursor:
        for frame in map(pl.read_parquet, paths):
            customers = _customer_ids(frame, using=using)
            for batch in frame.iter_slices(BATCH):
                fresh = batch if fresh_table else _without_known(batch, using=using)
                if fresh.height:
                    rows = _values(fresh, customers, products, changed_at=changed_at, using=using)
                    cursor.executemany(statement, list(rows))
                stored += fresh.height
                on_rows(batch.height)
    return stored


def _statement(using: str) -> str:
    quote = connections[using].ops.quote_name
    named = {field.name: str(field.get_attname_column()[1]) for field in Interaction._meta.concrete_fields}
    columns = ", ".join(quote(named[name]) for name in _FIELDS)
    marks = ", ".join(["%s"] * len(_FIELDS))
    return f"INSERT INTO {quote(Interaction._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608  names of ours


def _values(
    rows: pl.DataFrame,
    customers: dict[str, int],
    products: dict[str, int],
    *,
    changed_at: datetime,
    using: str,
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of each row in the order of _FIELDS, in the database's own types."""
    connection = connections[using]
    adapt_time = connection.ops.adapt_datetimefield_value
    adapt_key = UUID if connection.features.has_native_uuid_field else str
    changed = adapt_time(changed_at)
    for customer, product, kind, at, quantity, amount, currency, basket, key, return_of in rows.select(
        SETTLED
    ).iter_rows():
        yield (
            customers[customer],
            products[product],
            kind,
            adapt_time(at),
            quantity,
            None if amount is None else f"{amount:.2f}",
            currency,
            basket,
            "",
            "",
            adapt_key(key),
            return_of and adapt_key(return_of),
            changed,
        )


def _without_known(rows: pl.DataFrame, *, using: str) -> pl.DataFrame:
    keys = [UUID(key) for key in rows.get_column("key")]
    known = Interaction.objects.using(using).filter(key__in=keys).values_list("key", flat=True)
    return rows.filter(~pl.col("key").is_in([key.hex for key in known if key]))


def _customer_ids(frame: pl.DataFrame, *, using: str) -> dict[str, int]:
    found: dict[str, int] = {}
    codes = frame.get_column("customer").unique()
    for start in range(0, codes.len(), BATCH):
        some = codes.slice(start, BATCH).to_list()
        found.update(Customer.objects.using(using).filter(code__in=some).values_list("code", "id"))
    return found
