"""Tables that a scoring fills beside its scores: written, deleted and cleaned together with them."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from django.db import router, transaction
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from crm_agents.jsonable import storable
from crm_agents.models import ScoringRun, SideRow
from crm_agents.recipes import SideTable, get_recipe
from crm_agents.services.copying import insert
from crm_agents.services.leases import Lease
from crm_agents.services.score_writing import parsed
from crm_data.suppression import Suppressed
from handoff.dataset import shard_of
from handoff.errors import HandoffError
from handoff.scores import side_path

BATCH = 2_000
FEW = 20  # customers whom the database looks for; for more of them every row is read


def write_side_tables(scoring: ScoringRun, shard: int, scores: Path, lease: Lease) -> int:
    """Write the side files of one shard and return how many rows; an earlier attempt's are replaced.

    A scorer that wrote no such file leaves an empty table. Whoever opted out or was erased is left out.
    Raises HandoffError for a file that is no side file, LeaseLost.
    """
    return sum(
        _write(scoring, shard, side_path(scores, table.name), table, lease)
        for table in get_recipe(scoring.agent.name).side_tables
    )


def _write(scoring: ScoringRun, shard: int, path: Path, table: SideTable, lease: Lease) -> int:
    rows = _rows(table, scoring, shard, _read(path, table)) if path.exists() else iter(())
    database = router.db_for_write(table.model)
    written = 0
    while batch := list(islice(rows, BATCH)):
        with transaction.atomic(using=database):
            lease.write()  # a worker that lost its shard writes nothing
            if not written:
                _of_shard(table, scoring, shard).delete()
            insert(table.model, batch, database)
        written += len(batch)
    if not written:
        with transaction.atomic(using=database):
            lease.write()
            _of_shard(table, scoring, shard).delete()
    return written


def _of_shard(table: SideTable, scoring: ScoringRun, shard: int) -> QuerySet[SideRow]:
    return table.model._default_manager.filter(scoring=scoring, shard=shard)


def _read(path: Path, table: SideTable) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HandoffError(f"{path} is not a side file: {error}") from error
    expected = ["key", "customer" if table.customers else "payload"]
    if frame.columns[:2] != expected or frame.schema.dtypes()[:2] != [pl.String, pl.String]:
        raise HandoffError(
            f"{path} begins with the columns {frame.columns[:2]}, expected {expected} of text."
        )
    if not all(kind.is_numeric() for kind in frame.schema.dtypes()[2:]):
        raise HandoffError(f"{path} has other than numbers behind its first two columns.")
    return frame


def _rows(table: SideTable, scoring: ScoringRun, shard: int, frame: pl.DataFrame) -> Iterator[SideRow]:
    longest = table.model._meta.get_field("key").max_length or 0
    fits = pl.col("key").str.len_chars() <= longest  # nobody could ask for a longer one
    for key, payload in _payloads(table, scoring, frame.filter(fits)):
        yield table.model(scoring=scoring, shard=shard, key=str(storable(key)), payload=payload)


def _payloads(table: SideTable, scoring: ScoringRun, frame: pl.DataFrame) -> Iterator[tuple[str, Any]]:
    if not table.customers:
        for key, text in frame.select("key", "payload").iter_rows():
            yield key, parsed(text)
        return
    gone = Suppressed(scoring.agent.tenant).among(frame["customer"].unique())
    kept = frame.filter(~pl.col("customer").is_in(sorted(gone))) if gone else frame
    kept = kept.with_columns(pl.selectors.float().fill_nan(None))
    for key, *columns in kept.group_by("key", maintain_order=True).agg(pl.all()).iter_rows():
        yield key, {"customers": [list(entry) for entry in zip(*columns, strict=True)]}


def delete_side_rows(scoring: ScoringRun) -> int:
    """Delete what lies beside the scores of a scoring, shard by shard; return how many rows."""
    shards = list(scoring.shards.values_list("shard", flat=True)) or [0]
    return sum(
        _of_shard(table, scoring, shard).delete()[0]
        for table in get_recipe(scoring.agent.name).side_tables
        for shard in shards
    )


def entries_about(scoring: ScoringRun, customer_id: str) -> Iterator[dict[str, Any]]:
    """Yield what the side tables of a scoring say of a customer: table, key, and the numbers kept."""
    for table in _naming(scoring):
        for row in _holding(table, scoring, [customer_id]):
            for customer, *numbers in row.payload.get("customers", []):
                if customer == customer_id:
                    yield {"table": table.name, "key": row.key, "values": numbers}


def take_out(scoring: ScoringRun, customers: Collection[str]) -> dict[str, int]:
    """Take customers out of the side tables of a scoring; return the number of changed rows by table."""
    if not customers:
        return {}
    return {
        table.model._meta.model_name or "": count
        for table in _naming(scoring)
        if (count := _take_out(table, _holding(table, scoring, customers), set(customers)))
    }


def customers_in(scoring: ScoringRun) -> set[str]:
    """Return everybody whom the side tables of a scoring name; reads them all."""
    return {
        str(entry[0])
        for table in _naming(scoring)
        for row in table.model._default_manager.filter(scoring=scoring).iterator(chunk_size=BATCH)
        for entry in row.payload.get("customers", [])
    }


def _naming(scoring: ScoringRun) -> list[SideTable]:
    return [table for table in get_recipe(scoring.agent.name).side_tables if table.customers]


def _take_out(table: SideTable, rows: Iterable[SideRow], customers: set[str]) -> int:
    changed = []
    for row in rows:
        before = row.payload.get("customers", [])
        after = [entry for entry in before if entry[0] not in customers]
        if len(after) < len(before):
            row.payload["customers"] = after
            changed.append(row)
    table.model._default_manager.bulk_update(changed, ["payload"], batch_size=BATCH // 4)
    return len(changed)


def _holding(table: SideTable, scoring: ScoringRun, customers: Collection[str]) -> Iterator[SideRow]:
    """Yield the rows of the customers' shards; where they are few, only rows that may name one of them."""
    shards = scoring.shards.count()
    by_shard: dict[int, list[str]] = defaultdict(list)
    for customer in customers:
        by_shard[shard_of(customer, shards) if shards else 0].append(customer)
    for shard, mine in sorted(by_shard.items()):
        rows = _of_shard(table, scoring, shard) if shards else _of_any_shard(table, scoring)
        if len(mine) <= FEW:
            wanted = Q(pk__in=[])
            for form in {form for customer in mine for form in _forms(customer)}:
                wanted |= Q(payload_text__contains=form)
            rows = rows.annotate(payload_text=Cast("payload", TextField())).filter(wanted)
        yield from rows.iterator(chunk_size=BATCH)


def _of_any_shard(table: SideTable, scoring: ScoringRun) -> QuerySet[SideRow]:
    return table.model._default_manager.filter(scoring=scoring)


def _forms(customer: str) -> set[str]:
    """Return the ways in which a database may hold an id within JSON."""
    return {json.dumps(customer), json.dumps(customer, ensure_ascii=False)}
