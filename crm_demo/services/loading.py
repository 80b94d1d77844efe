"""Putting data frames into tables: COPY on PostgreSQL, batches of inserts elsewhere."""

import json
from io import BytesIO
from typing import Any

import polars as pl
from django.core.management.color import no_style
from django.db import connection, models

BATCH = 2000  # rows of one INSERT


def load(model: type[models.Model], frame: pl.DataFrame) -> None:
    """Insert the frame's rows.

    Its columns are the model's, the primary key included; JSON columns hold JSON text.
    """
    if connection.vendor == "postgresql":
        _copy(model, frame)
        return
    json_names = [name for name in frame.columns if isinstance(_field(model, name), models.JSONField)]
    batch = []
    for row in frame.iter_rows(named=True):
        parsed = {name: json.loads(row.pop(name)) for name in json_names}
        batch.append(model(**row, **parsed))
        if len(batch) == BATCH:
            model._default_manager.bulk_create(batch)
            batch = []
    model._default_manager.bulk_create(batch)


def reset_sequences(*tables: type[models.Model]) -> None:
    """Let the database number new rows after those that were inserted with a number."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(tables)):
            cursor.execute(statement)


def _copy(model: type[models.Model], frame: pl.DataFrame) -> None:
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%z")
    quote = connection.ops.quote_name
    columns = ", ".join(quote(_field(model, name).column) for name in frame.columns)
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getvalue())


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)
