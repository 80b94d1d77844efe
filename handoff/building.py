"""A dataset folder from tables in memory: for whoever uses a version outside this project."""

from pathlib import Path

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
from handoff.errors import HandoffError

CODE = "built from tables"


def build_dataset(
    folder: Path | str,
    events: pl.DataFrame,
    *,
    customers: pl.DataFrame | None = None,
    products: pl.DataFrame | None = None,
    currency: str = "",
    shards: int = 1,
) -> Dataset:
    """Write tables as a dataset folder and open it.

    The columns are those of `handoff.dataset`; of `events` only customer, at and kind are required.
    Columns that are missing are empty, and whoever only events name has no attributes. Products are on
    sale where nothing else is said. Raises HandoffError naming a column that cannot be.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise HandoffError(f"{folder} is not empty; name a new folder.")
    lines = _completed(events, EVENTS, ("customer", "at", "kind"), "events")
    people = _listed(customers, CUSTOMERS, lines["customer"], "customer")
    goods = _listed(products, PRODUCTS, lines["product"].drop_nulls(), "product")
    goods = goods.with_columns(pl.col("available").fill_null(value=True))
    home = pl.Series("shard", [shard_of(name, shards) for name in lines["customer"]], pl.Int64)
    for number in range(shards):
        write_events(folder, number, lines.filter(home == number))
    write_table(folder, "customers", people, CUSTOMERS)
    write_table(folder, "products", goods, PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    first, last = lines["at"].min(), lines["at"].max()
    kinds = dict(lines.group_by("kind").len().sort("kind").iter_rows())
    manifest = Manifest(
        shards=shards,
        currency=currency,
        watermark=_iso(last) or "1970-01-01T00:00:00+00:00",
        first_event=_iso(first),
        last_event=_iso(last),
        events=len(lines),
        customers=len(people),
        products=len(goods),
        kinds=kinds,
        code_version=CODE,
    )
    write_manifest(folder, manifest)
    return Dataset.open(folder)


def _completed(frame: pl.DataFrame, schema: pl.Schema, required: tuple[str, ...], what: str) -> pl.DataFrame:
    for name in required:
        if name not in frame.columns or frame[name].null_count():
            raise HandoffError(f"{what} needs a value in every row of its column {name!r}.")
    unknown = sorted(set(frame.columns) - set(schema.names()))
    if unknown:
        raise HandoffError(f"{what} has no column {unknown[0]!r}; it has {', '.join(schema.names())}.")
    missing = [pl.lit(None, dtype=schema[name]).alias(name) for name in schema if name not in frame.columns]
    try:
        return frame.with_columns(missing).select(schema.names()).cast(schema)
    except pl.exceptions.PolarsError as error:
        raise HandoffError(f"{what} has a column of another type: {error}.") from error


def _listed(frame: pl.DataFrame | None, schema: pl.Schema, named: pl.Series, key: str) -> pl.DataFrame:
    """The rows of a table, and one for each name that only events know."""
    given = pl.DataFrame(schema=schema) if frame is None else _completed(frame, schema, (key,), f"{key}s")
    known = set(given[key])
    others = sorted(set(named) - known)
    rest = _completed(pl.DataFrame({key: others}, schema={key: pl.String}), schema, (), f"{key}s")
    if key == "customer":
        given = given.with_columns(pl.col("attributes").fill_null("{}"))
        rest = rest.with_columns(pl.lit("{}").alias("attributes"))
    return pl.concat([given, rest])


def _iso(moment: object) -> str | None:
    return moment.isoformat() if hasattr(moment, "isoformat") else None
