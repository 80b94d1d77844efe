"""Storing the kept rows: customers and products first, then the interactions, inside one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from crm_data.importing.copying import can_copy, copy_interactions
from crm_data.importing.inserting import insert_interactions
from crm_data.models import Customer, Product

BATCH = 5_000

OnRows = Callable[[int], None]
Row = TypeVar("Row", Customer, Product)


def write_customers(customers: pl.DataFrame, *, using: str) -> int:
    """Create those that are missing, fill blank fields of the others; return how many are new."""
    manager = Customer.objects.using(using)
    new = 0
    for batch in customers.iter_slices(BATCH):
        known = manager.in_bulk(batch.get_column("code").to_list(), field_name="code")
        rows = list(batch.iter_rows(named=True))
        missing = [Customer(**row) for row in rows if row["code"] not in known]
        manager.bulk_create(missing, ignore_conflicts=True)
        new += len(missing)
        present = [(known[row["code"]], row) for row in rows if row["code"] in known]
        manager.bulk_update(_filled(present, ("name", "country")), ["name", "country"])
    return new


def write_products(products: pl.DataFrame, *, using: str) -> int:
    """Create those that are missing, fill blank fields of the others; return how many are new."""
    manager = Product.objects.using(using)
    new = 0
    for batch in products.iter_slices(BATCH):
        known = manager.in_bulk(batch.get_column("code").to_list(), field_name="code")
        rows = [{**row, "price": _money(row["price"])} for row in batch.iter_rows(named=True)]
        missing = [Product(**row) for row in rows if row["code"] not in known]
        manager.bulk_create(missing, ignore_conflicts=True)
        new += len(missing)
        present = [(known[row["code"]], row) for row in rows if row["code"] in known]
        fields = ("name", "category", "price")
        manager.bulk_update(_filled(present, fields), fields)
    return new


def write_interactions(paths: Sequence[Path], *, changed_at: datetime, using: str, on_rows: OnRows) -> int:
    """Store the interactions of the files, less those whose key is there already; return how many."""
    if can_copy(using):
        return copy_interactions(paths, changed_at=changed_at, using=using, on_rows=on_rows)
    return insert_interactions(paths, changed_at=changed_at, using=using, on_rows=on_rows)


def _filled(present: Sequence[tuple[Row, dict[str, Any]]], fields: Sequence[str]) -> list[Row]:
    """Set blank fields to the file's values; return the rows that changed by it."""
    changed: list[Row] = []
    for stored, row in present:
        blank = [
            name for name in fields if getattr(stored, name) in ("", None) and row[name] not in ("", None)
        ]
        for name in blank:
            setattr(stored, name, row[name])
        if blank:
            changed.append(stored)
    return changed


def _money(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.2f}")
