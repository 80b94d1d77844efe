"""Streams a mapping's events out of the database as polars frames, in bounded memory.

PostgreSQL answers by COPY and SQLite by rows of text, both parsed by polars; any other database goes
through Django's own conversions: slower, with the same result. No query stays open while a frame is
worked on, so whoever takes the frames may use the connection, and no reader holds back a writer.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, QuerySet
from django.db.models.expressions import Func
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime

from crm_data.reading import EVENT_COLUMNS, UnknownCurrency, pages, to_utc
from crm_data.source import Source
from handoff.dataset import EVENTS, UTC_TIME

FRAME_ROWS = 200_000
PAGE_ROWS = 50_000
NUMBERS = ("quantity", "amount")
RAW = pl.Schema({name: pl.Float64() if name in NUMBERS else pl.String() for name in EVENT_COLUMNS})
_COLUMNS = [f"crm_{name}" for name in EVENT_COLUMNS]
_TEXT_COLUMNS = ["crm_at_text" if name == "crm_at" else name for name in _COLUMNS]


def event_frames(
    source: Source, found: QuerySet[Any], spool: Path, dropped: Counter[str]
) -> Iterator[pl.DataFrame]:
    """Yield the events of a `reading.events` queryset as frames of the EVENTS schema, in no order.

    `spool` is a folder for temporary files. Rows that are no event (no customer, no date, no kind) are
    counted in `dropped` by reason. Raises UnknownCurrency.
    """
    connection = connections[found.db]
    frames = _fast_frames(found, spool) or _by_pages(source, found)
    naive = (connection.timezone_name if settings.USE_TZ else source.timezone) or "UTC"
    date_only = not isinstance(found.query.annotations["crm_at"].output_field, models.DateTimeField)
    for frame in frames:
        yield _cleaned(source, frame, source.timezone or "UTC" if date_only else naive, dropped)


def _fast_frames(found: QuerySet[Any], spool: Path) -> Iterator[pl.DataFrame] | None:
    connection = connections[found.db]
    if connection.vendor == "postgresql" and _has_copy():
        return _by_copy(connection, found, spool)
    return _by_text(connection, found) if connection.vendor == "sqlite" else None


def _has_copy() -> bool:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return is_psycopg3


def _by_copy(connection: BaseDatabaseWrapper, found: QuerySet[Any], spool: Path) -> Iterator[pl.DataFrame]:
    local = Func(F("crm_at"), template="(%(expressions)s)::timestamp", output_field=models.DateTimeField())
    compiled = _compiled(connection, found.annotate(crm_at_text=local).values_list(*_TEXT_COLUMNS))
    if compiled is None:
        return
    sql, params = compiled
    # psycopg merges parameters only where there are some, and unescapes %% only then.
    statement = f"COPY ({sql if params else sql.replace('%%', '%')}) TO STDOUT WITH (FORMAT csv)"
    files: list[Path] = []
    # The driver's own cursor: Django's, with DEBUG on, copies statements without parameters only.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.cursor.copy(statement, params) as copy,
    ):
        lines = map(bytes, copy)
        while block := b"".join(islice(lines, FRAME_ROWS)):
            files.append(spool / f"copy-{len(files):06d}.csv")
            files[-1].write_bytes(block)
    for file in files:
        frame = pl.read_csv(file, has_header=False, schema=RAW)
        file.unlink()
        yield frame


def _by_text(connection: BaseDatabaseWrapper, found: QuerySet[Any]) -> Iterator[pl.DataFrame]:
    texts = found.annotate(crm_at_text=Cast(F("crm_at"), models.TextField())).order_by("pk")
    last = None
    while True:
        page = texts if last is None else texts.filter(pk__gt=last)
        compiled = _compiled(connection, page.values_list(*_TEXT_COLUMNS, "pk")[:PAGE_ROWS])
        if compiled is None:
            return
        with connection.cursor() as cursor:
            cursor.execute(*compiled)
            batch = cursor.fetchall()
        if batch:
            yield pl.DataFrame([row[:-1] for row in batch], schema=RAW, orient="row", strict=False)
        if len(batch) < PAGE_ROWS:
            return
        last = batch[-1][-1]


def _by_pages(source: Source, found: QuerySet[Any]) -> Iterator[pl.DataFrame]:
    schema = pl.Schema({**RAW, "at": UTC_TIME})
    position = EVENT_COLUMNS.index("at")
    for page in pages(found, _COLUMNS, size=PAGE_ROWS):
        rows = [(*row[:position], to_utc(row[position], source), *row[position + 1 :]) for row in page]
        yield pl.DataFrame(rows, schema=schema, orient="row", strict=False)


def _compiled(connection: BaseDatabaseWrapper, found: QuerySet[Any]) -> tuple[str, tuple[Any, ...]] | None:
    try:
        sql, params = found.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return None
    return sql, tuple(params)


def _cleaned(source: Source, raw: pl.DataFrame, zone: str, dropped: Counter[str]) -> pl.DataFrame:
    words = [name for name in EVENT_COLUMNS if raw.schema[name] == pl.String and name != "at"]
    frame = raw.with_columns(pl.col(words).replace("", None))
    if frame.schema["at"] == pl.String:
        frame = frame.with_columns(_moments(frame["at"], zone))
    for column, reason in (("customer", "no customer"), ("at", "no date"), ("kind", "no kind")):
        dropped[reason] += frame[column].null_count()
        frame = frame.filter(pl.col(column).is_not_null())
    return frame.with_columns(pl.col("amount") * _factor(source, frame["currency"])).select(EVENTS.names())


def _factor(source: Source, currency: pl.Series) -> pl.Expr:
    present = set(currency.drop_nulls().unique()) - {source.currency}
    unknown = sorted(present - set(source.rates))
    if unknown:
        raise UnknownCurrency(unknown[0], source)
    if not present:
        return pl.lit(1.0)
    rates = {name: float(source.rates[name]) for name in sorted(present)}
    return pl.col("currency").replace_strict(rates, default=1.0, return_dtype=pl.Float64)


def _moments(texts: pl.Series, zone: str) -> pl.Series:
    """Parse dates and times as databases print them; a local time that a clock change skipped moves on."""
    text = pl.col("at")
    whole = pl.when(text.str.len_chars() == 10).then(text + " 00:00:00").otherwise(text)
    frame = texts.to_frame().with_columns(
        local=whole.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    )

    def placed(local: pl.Expr) -> pl.Expr:
        aware = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return aware.dt.convert_time_zone("UTC")

    parsed = frame.select(
        pl.coalesce(placed(pl.col("local")), placed(pl.col("local") + dt.timedelta(hours=1))).alias("at")
    )["at"]
    left = texts.filter(parsed.is_null() & texts.is_not_null()).unique()
    if left.is_empty():
        return parsed
    other = {text: _parsed(text) for text in left}
    return parsed.fill_null(texts.replace_strict(other, default=None, return_dtype=UTC_TIME))


def _parsed(text: str) -> dt.datetime | None:
    """Parse a form that the fast path does not know, such as one with an offset."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    if value is None or value.tzinfo is None:
        return None
    return value.astimezone(dt.UTC)
