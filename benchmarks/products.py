"""What a product's page costs: `python -m benchmarks.products [--customers N] [--products N] [--shards N]`.

Fills a PostgreSQL database of its own (named by DATABASE_URL, dropped afterwards) with a million customers'
lists and with what scoring keeps of each product, and measures how long whom-to-call, substitutes and bundles
take to read, for who sees every customer and for a sales rep; the bytes on disk; and an erasure's part.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import report, skip
from benchmarks.scratch import is_postgresql, scratch_database

LOOKS = 40
LIMIT_MS = 50
DIFFERENT = 1_000  # lists, which the customers share
OWNERS = 500  # sales reps, each of whom has the same number of customers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=64)
    arguments = parser.parse_args()
    url = os.environ.get("DATABASE_URL", "")
    if not is_postgresql(url):
        skip(figure="product_page", why="DATABASE_URL names no PostgreSQL server")
        return
    with tempfile.TemporaryDirectory() as folder, scratch_database(url) as scratch:
        os.environ |= {"DATABASE_URL": scratch, "CRM_VAR": folder, "LOG_LEVEL": "ERROR"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")
        measure(arguments.customers, arguments.products, arguments.shards)


def measure(customers: int, products: int, shards: int) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connection

    call_command("migrate", verbosity=0)
    agent, boss, rep = fill(customers, products, shards)
    from crm_agents.services.side_tables import take_out
    from recommender.models import ProductAudience, ProductRelations
    from recommender.products.callers import callers_for
    from recommender.products.found import find_product
    from recommender.products.related import bundles_for, substitutes_for

    data = f"{customers} customers, {products} products, {shards} shards"
    steps = {
        "callers, who sees everybody": lambda code: callers_for(agent, boss, find_product(agent, code)),
        "callers, a sales rep": lambda code: callers_for(agent, rep, find_product(agent, code)),
        "substitutes": lambda code: substitutes_for(agent, find_product(agent, code)),
        "bundles": lambda code: bundles_for(agent, find_product(agent, code)),
    }
    for name, step in steps.items():
        times, found, busy = timed(step, products)
        value = round(statistics.median(times), 1)
        extra: dict[str, Any] = {
            "fastest_ms": round(min(times), 1),
            "slowest_ms": round(max(times), 1),
            "limit_ms": LIMIT_MS,
            "cpu_ms": busy,
            "items": found,
        }
        report(figure="product_read", value=value, unit="ms, median", data=data, read=name, **extra)
    begun = time.perf_counter()
    changed = take_out(agent.live_scoring, ["C777"])
    seconds = round(time.perf_counter() - begun, 2)
    report(figure="product_erasure", value=seconds, unit="s", data=data, changed=changed)
    for model in (ProductAudience, ProductRelations):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            size = cursor.fetchone()[0]
        table = str(model._meta.model_name)
        report(figure="product_bytes", value=size, unit="bytes", data=data, table=table)
    connection.close()


def timed(step: Callable[[str], dict[str, Any]], products: int) -> tuple[list[float], int, float | None]:
    """Return the milliseconds of LOOKS reads, each of another product, the items of the last one, and the
    mean milliseconds of processor time that Django and its PostgreSQL process spent on one."""
    step("P1")
    times, found, begun_busy = [], 0, busy_seconds()
    for look in range(LOOKS):
        code = f"P{1 + look * 7919 % products}"
        begun = time.perf_counter()
        answer = step(code)
        times.append((time.perf_counter() - begun) * 1_000)
        found = len(answer["items"])
    ended_busy = busy_seconds()
    if begun_busy is None or ended_busy is None:
        return times, found, None
    return times, found, round((ended_busy - begun_busy) * 1_000 / LOOKS, 1)


def busy_seconds() -> float | None:
    """Return the processor time of this process and of its database process; None where Linux tells none."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        statistics_of = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")
    if not statistics_of.exists():
        return None
    return time.process_time() + int(statistics_of.read_text().split()[0]) / 1e9


def fill(customers: int, products: int, shards: int) -> tuple[Any, Any, Any]:
    """Fill the tables by SQL; return the agent, a user who sees everybody and a rep."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission
    from django.utils import timezone

    from crm_agents.models import ModelVersion, RunStatus, ScoringRun, ScoringShard, TrainingRun
    from crm_agents.services.agents import get_agent
    from crm_data.models import Snapshot
    from neural.products.audience import kept_in

    users = get_user_model().objects
    boss = users.create_superuser("boss", password=None)
    reps = users.bulk_create([users.model(username=f"rep{n}", is_staff=True) for n in range(OWNERS)])
    reps[0].user_permissions.add(Permission.objects.get(codename="view_scores"))
    agent, now = get_agent("recommender"), timezone.now()
    snapshot = Snapshot.objects.create(
        folder="one",
        sha256="0",
        watermark=now,
        events=1,
        customers=customers,
        products=products,
        shards=shards,
    )
    run = TrainingRun.objects.create(agent=agent, snapshot=snapshot, status=RunStatus.SUCCEEDED)
    version = ModelVersion.objects.create(
        agent=agent, number=1, run=run, artifact="one", artifact_sha256="0", snapshot=snapshot
    )
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=version,
        snapshot=snapshot,
        as_of=now,
        status=RunStatus.SUCCEEDED,
        published_at=now,
    )
    ScoringShard.objects.bulk_create(ScoringShard(scoring=scoring, shard=n) for n in range(shards))
    agent.live_scoring, agent.live_version = scoring, version
    agent.save()
    for sql in statements(scoring.pk, reps[0].pk, customers, products, shards, kept_in(shards)):
        _run(sql)
    _run("ANALYZE")
    return agent, boss, users.get(pk=reps[0].pk)


def statements(
    scoring: Any, first_rep: int, customers: int, products: int, shards: int, kept: int
) -> list[str]:
    """SQL that fills customers, products, lists of 50 and what is kept of each product."""
    listed = (
        f"(SELECT jsonb_agg(jsonb_build_object('product', 'P' || (1 + (i * 31 + n * 977) % {products}), "
        '\'score\', 0.4 / n, \'reasons\', \'[{"code": "popular", "customers": 9, "days": 28}]\'::jsonb)) '
        "FROM generate_series(1, 50) AS n)"
    )
    callers = (
        "(SELECT jsonb_agg(jsonb_build_array('C' || (1 + (p * 7919 + s * 104729 + n * 15485863) "
        f"% {customers}), round((0.5 / n)::numeric, 4), 2, 30)) FROM generate_series(1, {kept}) AS n)"
    )
    facts = (
        "jsonb_build_object('offered', TRUE, 'orders', 90, 'known_by', '[\"name\"]'::jsonb, "
        f"'substitutes', (SELECT jsonb_agg(jsonb_build_object('product', 'P' || (1 + (p + n) % {products}), "
        '\'reasons\', \'[{"code": "same_category", "category": "A"}]\'::jsonb)) '
        "FROM generate_series(1, 10) AS n), "
        f"'bundles', (SELECT jsonb_agg(jsonb_build_object('product', 'P' || (1 + (p * 3 + n) % {products}), "
        "'orders', 9, 'of', 90, 'lift', 3.2)) FROM generate_series(1, 10) AS n))"
    )
    return [
        "INSERT INTO crm_data_customer (code, name, email, country, attributes, owner_id) SELECT 'C' || i, "
        f"'Customer ' || i, '', 'UK', '{{}}'::jsonb, {first_rep} + i % {OWNERS} "
        f"FROM generate_series(1, {customers}) AS i",
        "INSERT INTO crm_data_product (code, name, category, price, available, attributes) SELECT 'P' || i, "
        "'Product ' || i, 'Category ' || (i % 20), 9.99, TRUE, '{}'::jsonb "
        f"FROM generate_series(1, {products}) AS i",
        "CREATE TABLE lists AS SELECT i, "
        f"jsonb_build_object('source', 'model', 'items', {listed}) AS payload "
        f"FROM generate_series(0, {DIFFERENT - 1}) AS i",
        "INSERT INTO crm_agents_recommender_recommendationset (scoring_id, tenant, customer_id, score, "
        f"payload) SELECT '{scoring}'::uuid, '', 'C' || c, 0.4, payload FROM generate_series(1, {customers}) "
        f"AS c JOIN lists ON lists.i = c % {DIFFERENT}",
        "INSERT INTO crm_agents_recommender_productaudience (scoring_id, shard, key, payload) SELECT "
        f"'{scoring}'::uuid, s, 'P' || p, jsonb_build_object('customers', {callers}) "
        f"FROM generate_series(0, {shards - 1}) AS s, generate_series(1, {products}) AS p",
        "INSERT INTO crm_agents_recommender_productrelations (scoring_id, shard, key, payload) SELECT "
        f"'{scoring}'::uuid, 0, 'P' || p, {facts} FROM generate_series(1, {products}) AS p",
    ]


def _run(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)


if __name__ == "__main__":
    main()
