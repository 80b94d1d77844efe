"""Which rows a snapshot reads: all of them, or those that came since the last one.

A mapping with `changed` can be read incrementally. Rows that were edited, removed or committed late since
the last snapshot show as another number (or another sum of keys) of rows changed before its watermark;
then everything is read again, as where a customer or product was given another key. Any other value reached
over another table (`deal__company`) that changes without touching `changed` of the row itself is not seen:
build with `full` from time to time.
"""

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from django.db import models
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from crm_data import conf, reading
from crm_data.source import Interactions, Source
from handoff import dataset

PAGE = 20_000


@dataclass(frozen=True)
class Tally:
    """What a mapping's rows are up to a watermark."""

    settled: int  # rows changed at or before the watermark
    keys: int  # sum of their primary keys, where those are numbers
    unstamped: int  # rows whose `changed` is empty: they cannot be followed
    kept: int  # rows that are events of this snapshot
    future: int  # dated later than the watermark
    undated: int
    guests: int  # rows of nobody, or of somebody who is not among the Source's customers


def fingerprint(source: Source) -> str:
    """Name everything but the rows that a snapshot's files depend on."""
    parts = (
        f"{type(source).__module__}.{type(source).__qualname__}",
        source.customers.key,
        source.customers.where,
        source.products.key if source.products else "",
        source.interactions,
        source.currency,
        sorted(source.rates.items()),
        source.timezone,
        conf.setting("SHARD_EVENTS"),
        dataset.SCHEMA_VERSION,
        pl.__version__,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def stamped(source: Source, mapping: Interactions) -> QuerySet[Any]:
    """Return a mapping's rows with `crm_changed` where it has one."""
    found = reading.events(source, mapping)
    return found.annotate(crm_changed=F(mapping.changed)) if mapping.changed else found


def settled(source: Source, mapping: Interactions, found: QuerySet[Any], watermark: dt.datetime) -> Q:
    """Return the condition that a row had its present form at the watermark."""
    if not mapping.changed:
        return Q()
    moment = reading.in_type_of("crm_changed", source, found, watermark)
    return Q(crm_changed__lte=moment) | Q(crm_changed__isnull=True)


def due(source: Source, found: QuerySet[Any], watermark: dt.datetime) -> Q:
    """Return the condition that an event had happened at the watermark."""
    return Q(crm_at__lte=reading.in_type_of("crm_at", source, found, watermark))


def later(source: Source, found: QuerySet[Any], watermark: dt.datetime) -> Q:
    """Return the condition that an event lies after the watermark."""
    return Q(crm_at__gt=reading.in_type_of("crm_at", source, found, watermark))


def tally(source: Source, mapping: Interactions, watermark: dt.datetime) -> Tally:
    """Count one mapping's rows."""
    every = stamped(source, mapping)
    then = settled(source, mapping, every, watermark)
    known = reading.known(source, mapping, every)
    numbered = isinstance(every.model._meta.pk, models.IntegerField)
    found = known.aggregate(
        known=Count("pk"),
        settled=Count("pk", filter=then),
        keys=Coalesce(Sum("pk", filter=then), 0) if numbered else Count("pk", filter=Q(pk__isnull=True)),
        unstamped=Count("pk", filter=Q(crm_changed__isnull=True) if mapping.changed else Q()),
        kept=Count("pk", filter=then & due(source, every, watermark)),
        future=Count("pk", filter=later(source, every, watermark)),
        undated=Count("pk", filter=Q(crm_at__isnull=True)),
    )
    guests = every.count() - found.pop("known")
    return Tally(**{name: int(value) for name, value in found.items()}, guests=guests)


def unchanged_since(source: Source, earlier: list[dict[str, int]], watermark: dt.datetime) -> bool:
    """Say whether the rows that the snapshot at `watermark` read are still the same ones."""
    if not all(mapping.changed for mapping in source.interactions) or len(earlier) != len(
        source.interactions
    ):
        return False
    for mapping, before in zip(source.interactions, earlier, strict=True):
        now = asdict(tally(source, mapping, watermark))
        if now["unstamped"] or any(now[name] != before[name] for name in ("settled", "keys", "kept")):
            return False
    return True


def keys_stand(source: Source, base: Path) -> bool:
    """Say whether each customer and product of an earlier snapshot still has the key its events are under."""
    products = pl.read_parquet(base / "products.parquet")
    # Those outside the Source stand in it under their key alone; nothing of them can be missed.
    named = products.filter(pl.col("available") | (pl.col("name") != pl.col("product")))
    customers = pl.read_parquet(base / "customers.parquet", columns=["customer"])
    return _all_in(customers["customer"], reading.customers(source)) and _all_in(
        named["product"], reading.products(source)
    )


def _all_in(keys: pl.Series, found: QuerySet[Any] | None) -> bool:
    if found is None:
        return keys.is_empty()
    present = [pl.Series([key for (key,) in page]) for page in reading.pages(found, ["crm_id"], size=PAGE)]
    return bool(keys.is_in(pl.concat([keys.clear(), *present]).implode()).all())


def rows_to_read(
    source: Source, mapping: Interactions, watermark: dt.datetime, since: dt.datetime | None
) -> QuerySet[Any]:
    """Return the events up to `watermark`: all, or those that came or fell due after `since`."""
    every = stamped(source, mapping)
    found = reading.known(source, mapping, every).filter(
        settled(source, mapping, every, watermark), due(source, every, watermark)
    )
    if since is None:
        return found
    new = Q(crm_changed__gt=reading.in_type_of("crm_changed", source, every, since))
    return found.filter(new | later(source, every, since))
