"""The simulator's shop straight as a dataset folder, without a database: for shops of a million customers.

    python -m benchmarks.simulated FOLDER --customers 1000000 --products 100000 --shards 64

The processes are those of `crm_demo.simulator`, day by day; only the size of the catalogue is set by hand.
Customers are made 4,000 at a time and shards written one after the other, so memory is bounded by a shard.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.report import report
from crm_demo.simulator import Shop, ShopSpec
from handoff.dataset import (
    CUSTOMERS,
    EVENTS,
    MARKET,
    PRODUCTS,
    Manifest,
    shard_of,
    write_events,
    write_manifest,
    write_table,
)

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LargeShop(ShopSpec):
    """A shop whose catalogue has the size that is asked for."""

    catalogue_size: int = 100_000

    @property
    def products(self) -> int:
        return self.catalogue_size


def write_dataset(folder: Path, spec: ShopSpec, shards: int) -> Manifest:
    """Simulate a shop and write it as a dataset."""
    shop = Shop(spec)
    with tempfile.TemporaryDirectory(dir=folder.parent) as parts:
        people, kinds, events = _deal_out(shop, Path(parts), shards)
        for shard in range(shards):
            pieces = Path(parts) / f"{shard:04d}"
            write_events(folder, shard, pl.read_parquet(pieces / "*.parquet"))
            shutil.rmtree(pieces)
    write_table(folder, "customers", people, CUSTOMERS)
    write_table(folder, "products", _products(shop), PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    found = pl.scan_parquet(folder / "events" / "*.parquet").select(
        pl.col("at").min().alias("first"), pl.col("at").max().alias("last")
    )
    first, last = found.collect(engine="streaming").row(0)
    manifest = Manifest(
        shards=shards,
        currency="EUR",
        watermark=spec.until.isoformat(),
        first_event=first.isoformat(),
        last_event=last.isoformat(),
        events=events,
        customers=len(people),
        products=spec.products,
        kinds=kinds,
        code_version="benchmark",
    )
    return write_manifest(folder, manifest)


def _deal_out(shop: Shop, parts: Path, shards: int) -> tuple[pl.DataFrame, dict[str, int], int]:
    """Write every chunk's events to its customers' shards; return the customers and what was counted."""
    people, kinds, events = [], dict[str, int](), 0
    for number, chunk in enumerate(shop.chunks()):
        people.append(
            chunk.customers.select(
                pl.col("code").alias("customer"),
                pl.col("since").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                pl.col("attributes"),
            )
        )
        home = {name: shard_of(name, shards) for name in chunk.customers["code"]}
        rows = chunk.interactions.select(EVENTS.names())
        rows = rows.with_columns(pl.col("customer").replace_strict(home).alias("shard"))
        for (shard,), part in rows.partition_by("shard", as_dict=True, include_key=False).items():
            place = parts / f"{shard:04d}"
            place.mkdir(exist_ok=True)
            part.write_parquet(place / f"{number:05d}.parquet", compression="lz4")
        for kind, count in rows["kind"].value_counts().iter_rows():
            kinds[kind] = kinds.get(kind, 0) + count
        events += len(rows)
    return pl.concat(people), dict(sorted(kinds.items())), events


def _products(shop: Shop) -> pl.DataFrame:
    return shop.products().select(pl.col("code").alias("product"), "name", "category", "price", "available")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    spec = LargeShop(asked.customers, asked.seed, UNTIL, catalogue_size=asked.products)
    asked.folder.mkdir(parents=True)
    manifest = write_dataset(asked.folder, spec, asked.shards)
    data = f"simulated: {asked.customers} customers, {asked.products} products"
    report(figure="simulated events", value=manifest.events, unit="rows", data=data, seed=asked.seed)


if __name__ == "__main__":
    main()
