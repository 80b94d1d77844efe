"""A small synthetic CRM: three tastes, repeat cycles, customers who stop."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handoff.dataset import (
    CUSTOMERS,
    EVENTS,
    MARKET,
    PRODUCTS,
    Dataset,
    Manifest,
    shard_of,
    write_events,
    write_manifest,
    write_table,
)

START = datetime(2020, 1, 1, tzinfo=UTC)
SHARDS = 2

Row = dict[str, Any]


def event(customer: str, day: float, product: str | None, **values: Any) -> Row:
    """One line, `day` days after 2020-01-01."""
    base: Row = {
        "kind": "purchase",
        "basket": None,
        "quantity": 1.0,
        "amount": 10.0,
        "channel": None,
        "text": None,
    }
    return {**base, "customer": customer, "at": START + timedelta(days=day), "product": product, **values}


def write_dataset(folder: Path, rows: list[Row], **products: Any) -> Dataset:
    """Write rows as a dataset folder; `products` are columns of the products table."""
    events = pl.DataFrame(rows, schema=EVENTS)
    shard = [shard_of(name, SHARDS) for name in events["customer"]]
    placed = events.with_columns(pl.Series("shard", shard, pl.Int64))
    for number in range(SHARDS):
        write_events(folder, number, placed.filter(pl.col("shard") == number).drop("shard"))
    names = sorted({row["customer"] for row in rows})
    customers = [
        (name, None, json.dumps({"size": int(name[1:]) % 3, "area": f"a{int(name[1:]) % 2}"}))
        for name in names
    ]
    write_table(folder, "customers", pl.DataFrame(customers, schema=CUSTOMERS, orient="row"), CUSTOMERS)
    sold = sorted({row["product"] for row in rows if row["product"]})
    listed = [(name, name, f"category {name[:2]}", 10.0, True) for name in sold]
    table = pl.DataFrame(listed, schema=PRODUCTS, orient="row").with_columns(**products)
    write_table(folder, "products", table, PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    times = [row["at"] for row in rows]
    manifest = Manifest(
        shards=SHARDS,
        currency="EUR",
        watermark=max(times, default=START).isoformat(),
        first_event=min(times).isoformat() if times else None,
        last_event=max(times).isoformat() if times else None,
        events=len(rows),
        customers=len(names),
        products=len(sold),
        kinds={
            kind: sum(row["kind"] == kind for row in rows) for kind in sorted({row["kind"] for row in rows})
        },
        code_version="test",
    )
    write_manifest(folder, manifest)
    return Dataset.open(folder)


def shop_rows(customers: int = 150, days: int = 420, seed: int = 7) -> list[Row]:
    """Customers of taste g buy products of group g; a third of them stop early, after slowing down.

    Nobody buys the same product twice in a row: a customer walks through the taste's ten products in
    order, so the next purchase is predictable but neither popular nor repeated lately.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        name, taste = f"c{number:04d}", number % 3
        cycle = rng.uniform(12, 24)
        stops = rng.uniform(120, 400) if rng.random() < 0.35 else np.inf
        day, place = rng.uniform(0, 30), int(rng.integers(10))
        while day < min(days, stops):
            basket = f"{name}-{int(day)}"
            for product in (place, place + 1):
                amount = 10.0 + product % 10
                rows.append(
                    event(name, round(day, 3), f"p{taste}{product % 10}", basket=basket, amount=amount)
                )
            place += 2
            day += cycle * rng.uniform(0.8, 1.2)
        if rng.random() < 0.2:
            rows.append(event(name, round(min(day, days) - 1, 3), None, kind="complaint", amount=0.0))
    return rows


NEXT_PRODUCT: dict[str, Any] = {
    "agent": "recommender",
    "task": "next_product",
    "horizon_days": 28,
    "baselines": ["personal_top", "popularity", "item_knn"],
}
CHURN: dict[str, Any] = {
    "agent": "churn",
    "task": "churn",
    "horizon_days": 60,
    "baselines": ["recency_rule", "base_rate"],
}
SMALL: dict[str, Any] = {
    "width": 16,
    "layers": 1,
    "max_visits": 24,
    "epochs": 1,
    "batch_size": 32,
    "minimum": {"customers": 5, "purchases": 10, "days": 30},
    "device": "cpu",
}
