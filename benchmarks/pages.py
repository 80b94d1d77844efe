"""What every page costs on a long-used site: `python -m benchmarks.pages [--customers N]`.

Follows every link of the admin and every reading operation of the REST API, each kind of page once, on a
site with a thousand runs and a million scores. Prints for each its queries, the rows that PostgreSQL read
for them (EXPLAIN ANALYZE of each), and the median time of three looks. Needs a PostgreSQL server, named by
DATABASE_URL; the benchmark makes and drops a database of its own there.
"""

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from benchmarks.report import report, skip
from benchmarks.scratch import is_postgresql, scratch_database

LIMIT_MS = 300
LOOKS = 3
LINK = re.compile(r'href="([^"#]+)"')
KEY = re.compile(r"(?<=/customers)/[^/?]+(?=/)|/[0-9a-f]{8}-[0-9a-f-]{27}(?=/)|/\d+(?=/)|=[^&]*")
PASSED_OVER = (
    "logout",
    "jsi18n",
    "password_change",
    "/static/",
    "export",
    "r/",
    "history",
    "/delete/",
    "/add/",
)
PAGES_MOST = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=500_000, help="each has a score of both agents")
    customers: int = parser.parse_args().customers
    url = os.environ.get("DATABASE_URL", "")
    if not is_postgresql(url):
        skip(figure="pages", why="DATABASE_URL names no PostgreSQL server")
        return
    with tempfile.TemporaryDirectory() as folder, scratch_database(url) as scratch:
        os.environ |= {"DATABASE_URL": scratch, "CRM_VAR": folder, "LOG_LEVEL": "ERROR"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")
        measure(customers)


def measure(customers: int) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connection
    from django.test import Client
    from django.test.utils import setup_test_environment

    from benchmarks.pages_fill import RUNS, fill

    setup_test_environment()
    call_command("migrate", verbosity=0)
    boss = fill(customers)
    client = Client()
    client.force_login(boss)
    data = f"{customers} customers, {2 * customers} scores, {RUNS} runs"
    slowest: list[tuple[float, str]] = []
    for kind, path in (*admin_pages(client), *operations(client)):
        milliseconds, queries, rows, size, status = look(client, path)
        slowest.append((milliseconds, kind))
        report(
            figure="page",
            value=round(milliseconds, 1),
            unit="ms",
            data=data,
            page=kind,
            queries=queries,
            rows_read=rows,
            bytes=size,
            status=status,
        )
    over = sorted((entry for entry in slowest if entry[0] > LIMIT_MS), reverse=True)
    report(
        figure="pages_over_limit",
        value=len(over),
        unit="pages",
        data=data,
        pages=len(slowest),
        limit_ms=LIMIT_MS,
        which=[kind for _milliseconds, kind in over],
        slowest=[round(milliseconds) for milliseconds, _kind in sorted(slowest, reverse=True)[:5]],
    )
    connection.close()


def admin_pages(client: Any) -> Iterator[tuple[str, str]]:
    """Yield one page of each kind that can be reached by links from the admin's index."""
    waiting, seen = ["/admin/"], {"/admin/"}
    while waiting and len(seen) < PAGES_MOST:
        path = waiting.pop(0)
        answer = client.get(path)
        if answer.status_code != 200:
            continue
        yield kind_of(path), path
        if not answer.get("Content-Type", "").startswith("text/html"):
            continue
        for link in LINK.findall(answer.content.decode(errors="replace")):
            target = absolute(path, link)
            kind = kind_of(target)
            wanted = target.startswith("/admin/") and not any(part in target for part in PASSED_OVER)
            if wanted and kind not in seen:
                seen.add(kind)
                waiting.append(target)


def operations(client: Any) -> Iterator[tuple[str, str]]:
    """Yield every reading operation of the API, its placeholders filled with what there is."""
    from crm_agents.models import ModelVersion, TrainingRun
    from crm_data.models import Customer, Product

    schema = client.get("/api/v1/schema/?format=json").json()
    known = {
        "name": "churn",
        "customer_id": Customer.objects.order_by("pk").values_list("code", flat=True)[7],
        "product_id": Product.objects.order_by("pk").values_list("code", flat=True)[7],
        "run_id": str(TrainingRun.objects.values_list("pk", flat=True)[0]),
        "version_id": str(ModelVersion.objects.values_list("pk", flat=True)[0]),
    }
    for path, methods in schema["paths"].items():
        holes = re.findall(r"\{(\w+)\}", path)
        if "get" in methods and all(hole in known for hole in holes):
            yield path, re.sub(r"\{(\w+)\}", lambda found: known[found[1]], path)


def absolute(path: str, link: str) -> str:
    link = link.replace("&amp;", "&")
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    return urlsplit(path).path + link if link.startswith("?") else link


def kind_of(path: str) -> str:
    """The page's path with every key and every value of its query left open."""
    return KEY.sub(lambda found: "=…" if found[0].startswith("=") else "/…", path)


def look(client: Any, path: str) -> tuple[float, int, int, int, int]:
    """Return the median milliseconds, the queries, the rows read for them, the bytes and the status."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    times = []
    for _look in range(LOOKS):
        begun = time.perf_counter()
        answer = client.get(path)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        times.append((time.perf_counter() - begun) * 1_000)
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    rows = sum(rows_read(query["sql"]) for query in captured.captured_queries)
    return statistics.median(times), len(captured), rows, len(content), answer.status_code


def rows_read(sql: str) -> int:
    """Rows that the tables gave up for one query, those that a filter threw away included."""
    from django.db import connection

    if not sql.lstrip().upper().startswith("SELECT"):
        return 0
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql.replace("%", "%%"), [])
        plan = cursor.fetchone()[0][0]["Plan"]
    return _scanned(plan)


def _scanned(node: dict[str, Any]) -> int:
    below = sum(_scanned(child) for child in node.get("Plans", []))
    if "Scan" not in node["Node Type"]:
        return below
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + (node["Actual Rows"] + thrown) * node["Actual Loops"]


if __name__ == "__main__":
    main()
