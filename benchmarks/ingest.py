"""How fast rows come in and snapshots go out: `python -m benchmarks.ingest [--quick]`.

Online Retail II into a scratch database of the PostgreSQL server that DATABASE_URL names (the database
itself is left alone), then snapshots of it: full, incremental after 1 % new rows, and PostgreSQL's own
COPY … TO of the same rows as the measure. Without PostgreSQL or the file it says so and measures nothing.
"""

import argparse
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.report import data_file, report, skip
from benchmarks.scratch import is_postgresql, scratch_database

FILE = "online_retail_II.csv.gz"
QUICK_ROWS = 100_000
NEW_SHARE = 0.01
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"the file's first {QUICK_ROWS:,} rows, once")
    quick: bool = parser.parse_args().quick
    url = os.environ.get("DATABASE_URL", "")
    path = data_file(FILE)
    if not is_postgresql(url):
        skip(figure="ingest", why="DATABASE_URL names no PostgreSQL server")
    elif path is None:
        skip(figure="ingest", why=f"{FILE} is not in CRM_DATA_DIR")
    else:
        with tempfile.TemporaryDirectory() as folder, scratch_database(url) as scratch:
            os.environ |= {"DATABASE_URL": scratch, "CRM_VAR": folder, "LOG_LEVEL": "WARNING"}
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")
            measure(first_rows(path, Path(folder)) if quick else path, quick)


def measure(path: Path, quick: bool) -> None:
    """Import the file, then build snapshots of what it gave; print a line for each figure."""
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connection

    from crm_data.importing.running import import_transactions

    call_command("migrate", verbosity=0)
    common = {"data": FILE, "split": f"first {QUICK_ROWS} rows" if quick else "all rows", "seed": None}
    imported, wall, cpu = timed(lambda: import_transactions(path))
    rate = imported.rows_read / wall
    report(
        figure="import", value=rate, unit="rows/s", rows=imported.rows_read, wall_s=wall, cpu_s=cpu, **common
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    repeats = 1 if quick else REPEATS
    events, full = snapshots(repeats, common)
    copied = [timed(copy_same_rows)[1] for _repeat in range(repeats)]
    seconds = statistics.median(copied)
    report(figure="copy_to", value=events / seconds, unit="rows/s", rows=events, wall_s=seconds, **common)
    report(figure="snapshot_to_copy", value=seconds / full, unit="ratio", **common)
    connection.close()


def snapshots(repeats: int, common: dict[str, Any]) -> tuple[int, float]:
    """Report full and incremental builds; return the events and the median seconds of the full ones."""
    from crm_data.services.snapshots import build_snapshot

    runs = [timed(lambda: build_snapshot(full=True)) for _repeat in range(repeats)]
    wall = statistics.median(seconds for _snapshot, seconds, _cpu in runs)
    cpu = statistics.median(seconds for _snapshot, _wall, seconds in runs)
    snapshot = runs[0][0]
    if len({each.sha256 for each, _wall, _cpu in runs}) != 1:
        raise RuntimeError("The same rows gave different files.")
    events = snapshot.events
    size = {"events": events, "shards": snapshot.shards}
    report(
        figure="snapshot_full", value=events / wall, unit="events/s", wall_s=wall, cpu_s=cpu, **size, **common
    )
    added = add_rows(events)
    after, wall_after, cpu_after = timed(build_snapshot)
    if not after.incremental:
        raise RuntimeError("The build after new rows was not incremental.")
    report(
        figure="snapshot_incremental",
        value=after.events / wall_after,
        unit="events/s",
        wall_s=wall_after,
        cpu_s=cpu_after,
        events=after.events,
        new=added,
        shards=after.shards,
        **common,
    )
    return events, wall


def add_rows(events: int) -> int:
    """Let the newest customers buy again: 1 % new rows."""
    from django.utils import timezone

    from crm_data.models import Interaction

    newest = list(Interaction.objects.order_by("-id")[: max(1, int(events * NEW_SHARE))])
    now = timezone.now()
    for row in newest:
        row.pk, row.key, row.return_of_id, row.changed_at = None, None, None, now
    Interaction.objects.bulk_create(newest, batch_size=2_000)
    return len(newest)


def copy_same_rows() -> None:
    """Let PostgreSQL copy out the rows of a full snapshot, and throw them away."""
    from django.db import connection
    from django.utils import timezone

    from crm_data.reading import EVENT_COLUMNS
    from crm_data.selectors import get_source
    from crm_data.services.changes import rows_to_read

    source = get_source()
    for mapping in source.interactions:
        rows = rows_to_read(source, mapping, timezone.now(), None)
        compiler = rows.values_list(*map("crm_{}".format, EVENT_COLUMNS)).query.get_compiler("default")
        sql, params = compiler.as_sql()
        with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT", params) as copy:
            for _block in copy:
                pass


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, the wall seconds and this process's CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def first_rows(path: Path, folder: Path) -> Path:
    quick = folder / "first_rows.csv"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as whole, quick.open("w", newline="") as part:
        part.writelines(islice(whole, QUICK_ROWS + 1))
    return quick


if __name__ == "__main__":
    main()
