"""Many new rows at once: PostgreSQL takes them in one COPY, other databases in batches."""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import Model

BATCH = 2_000


def insert(model: type[Model], rows: Sequence[Model], database: str) -> None:
    """Insert rows whose keys the database gives; the caller has opened the transaction."""
    with connections[database].cursor() as cursor:
        copy = getattr(cursor, "copy", None)  # psycopg 3
        if copy is None:
            model._default_manager.bulk_create(rows, batch_size=BATCH)
            return
        fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        quote = connections[database].ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        with copy(f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN") as stream:
            for row in rows:
                stream.write_row([_value(field, row, database) for field in fields])


def _value(field: Any, row: Model, database: str) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=True), connections[database])
