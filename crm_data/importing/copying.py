"""The fast way into PostgreSQL: COPY into a staging table, then one INSERT that skips known keys."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
from django.db import connections

from crm_data.importing.settling import SETTLED
from crm_data.models import Customer, Interaction, Product

_CREATE = """
CREATE TEMPORARY TABLE crm_data_staging (
    customer text, product text, kind text, at timestamptz, quantity double precision,
    amount numeric(14, 2), currency text, basket text, key uuid, return_of uuid
)
"""
_COPY = f"COPY crm_data_staging ({', '.join(SETTLED)}) FROM STDIN (FORMAT csv)"
_INSERT = """
INSERT INTO {interaction} (customer_id, product_id, kind, at, quantity, amount, currency, basket,
                           channel, text, key, return_of, changed_at)
SELECT {customer}.id, {product}.id, s.kind, s.at, s.quantity, s.amount, s.currency, s.basket,
       '', '', s.key, s.return_of, %s
FROM crm_data_staging s
JOIN {customer} ON {customer}.code = s.customer
JOIN {product} ON {product}.code = s.product
ON CONFLICT (key) DO NOTHING
"""


def can_copy(using: str) -> bool:
    """Whether the database is PostgreSQL and its driver psycopg 3, whose COPY is used."""
    if connections[using].vendor != "postgresql":
        return False
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return bool(is_psycopg3)


def copy_interactions(
    paths: Sequence[Path], *, changed_at: datetime, using: str, on_rows: Callable[[int], None]
) -> int:
    """Store the interactions of the files and return how many were new. Needs an open transaction."""
    tables = {
        "interaction": Interaction._meta.db_table,
        "customer": Customer._meta.db_table,
        "product": Product._meta.db_table,
    }
    insert = _INSERT.format(**tables)
    stored = 0
    connection = connections[using]
    with connection.cursor() as cursor:
        # Foreign keys are checked part by part: queued until commit, they would fill the server's memory.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_CREATE)
        for frame in map(pl.read_parquet, paths):
            # Only the usual cursor methods turn the driver's errors into Django's by themselves.
            with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
                for piece in frame.iter_slices(50_000):
                    copy.write(piece.select(SETTLED).write_csv(include_header=False).encode())
            cursor.execute(insert, [changed_at])
            stored += cursor.rowcount
            cursor.execute("TRUNCATE crm_data_staging")
            on_rows(frame.height)
        cursor.execute("DROP TABLE crm_data_staging")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        # Pages and snapshots read the new rows at once; the planner must know of them by then.
        cursor.execute(f"ANALYZE {', '.join(tables.values())}")
    return stored
