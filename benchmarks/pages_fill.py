"""A site that has been used for years: half a million customers, a million scores, a thousand runs.

Rows are made by the database itself; figures of evaluations repeat, since pages cost the same for all.
"""

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from crm_agents.models import (
    Agent,
    Alert,
    AlertKind,
    Annotation,
    AnnotationKind,
    ItemStatus,
    LabelItem,
    LabelSet,
    ModelVersion,
    Purpose,
    RunStatus,
    ScoringRun,
    Sweep,
    SweepKind,
    SweepStatus,
    TrainingRun,
)
from crm_agents.models.agent import Verdict
from crm_agents.recipes import get_recipe
from crm_agents.services.agents import ensure_agents
from crm_data.conf import root
from crm_data.models import Customer, Snapshot
from handoff.files import write_json

NOW = dt.datetime(2011, 12, 9, 12, tzinfo=dt.UTC)
RUNS = 1_000
VERSIONS = 100  # of each agent
TRIALS = 100  # of each agent's search
LABELLED = 10_000
NUMBERS = "generate_series(1, %s) AS i"
TIERS = "CASE i %% 5 WHEN 0 THEN 'high' WHEN 1 THEN 'medium' WHEN 2 THEN 'unknown' ELSE 'low' END"


def fill(customers: int) -> Any:
    """Fill an empty, migrated database; return the superuser who looks at it."""
    boss = get_user_model().objects.create_superuser("boss", password="boss")
    _customers(customers)
    snapshot = _snapshot(customers)
    for agent in ensure_agents():
        _life(agent, snapshot, customers, boss)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return boss


def _customers(count: int) -> None:
    _insert(
        "INSERT INTO crm_data_customer (code, name, email, country, attributes) "
        "SELECT 'C' || i, 'Customer ' || i, '', CASE i %% 3 WHEN 0 THEN 'France' ELSE 'Spain' END, "
        "'{}'::jsonb "
        f"FROM {NUMBERS}",
        count,
    )
    _insert(
        "INSERT INTO crm_data_product (code, name, category, available, attributes) "
        f"SELECT 'P' || i, 'Product ' || i, 'Category ' || (i %% 20), TRUE, '{{}}'::jsonb FROM {NUMBERS}",
        5_000,
    )
    _insert(
        "INSERT INTO crm_data_interaction (customer_id, product_id, kind, at, quantity, amount, currency, "
        "basket, channel, text, changed_at) "
        f"SELECT {Customer.objects.order_by('pk').values_list('pk', flat=True)[0]} + i %% {count}, "
        "1 + i %% 5000, 'purchase', "
        "CURRENT_TIMESTAMP, 1, 9.99, 'GBP', 'B' || i, '', '', CURRENT_TIMESTAMP "
        f"FROM {NUMBERS}",
        2 * count,
    )


def _snapshot(customers: int) -> Snapshot:
    folder = root() / "snapshots" / "one"
    folder.mkdir(parents=True)
    manifest = {
        "schema_version": 1,
        "shards": 1,
        "currency": "GBP",
        "watermark": NOW.isoformat(),
        "first_event": (NOW - dt.timedelta(days=700)).isoformat(),
        "last_event": NOW.isoformat(),
        "events": 2 * customers,
        "customers": customers,
        "products": 5_000,
        "kinds": {"purchase": 2 * customers},
        "code_version": "benchmark",
        "files": {},
    }
    write_json(folder / "manifest.json", manifest)
    return Snapshot.objects.create(
        folder="snapshots/one",
        sha256="0" * 64,
        watermark=NOW,
        events=2 * customers,
        customers=customers,
        products=5_000,
        shards=1,
    )


def _life(agent: Agent, snapshot: Snapshot, customers: int, boss: Any) -> None:
    each = RUNS // Agent.objects.count() - TRIALS
    runs = TrainingRun.objects.bulk_create(
        TrainingRun(
            agent=agent,
            snapshot=snapshot,
            status=RunStatus.SUCCEEDED if number < VERSIONS else RunStatus.FAILED,
            started_by=boss,
            log_tail="x" * 4_000,
            progress={"phase": "evaluating", "step": 3, "of": 3},
            created_at=NOW - dt.timedelta(days=number),
        )
        for number in range(each)
    )
    versions = ModelVersion.objects.bulk_create(
        ModelVersion(
            agent=agent,
            number=number + 1,
            run=runs[number],
            artifact=f"{agent.name}/{number + 1}",
            artifact_sha256="0" * 64,
            snapshot=snapshot,
            evaluation=evaluation(),
            verdict=Verdict.PASSED,
        )
        for number in range(VERSIONS)
    )
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=versions[-1],
        snapshot=snapshot,
        as_of=NOW,
        status=RunStatus.SUCCEEDED,
        rows=customers,
        published_at=timezone.now(),
    )
    _scores(agent, scoring, customers)
    agent.live_scoring, agent.live_version = scoring, versions[-1]
    agent.save()
    _sweep(agent, snapshot)
    _labels(agent, boss)
    Alert.objects.create(
        agent=agent, kind=AlertKind.STALE, scoring=scoring, detail={"hours": 80, "limit": 48}
    )


def _sweep(agent: Agent, snapshot: Snapshot) -> None:
    """A search of a hundred trials, of the thousand runs."""
    sweep = Sweep.objects.create(
        agent=agent,
        kind=SweepKind.SEARCH,
        status=SweepStatus.SUCCEEDED,
        space={"learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}},
        metric="roc_auc",
        planned=TRIALS,
        snapshot=snapshot,
        importance={"learning_rate": 1.0},
    )
    TrainingRun.objects.bulk_create(
        TrainingRun(
            agent=agent,
            purpose=Purpose.TRIAL,
            sweep=sweep,
            trial=number,
            config={"learning_rate": 1e-4 * (1 + number)},
            snapshot=snapshot,
            status=RunStatus.SUCCEEDED,
            reached=[[epoch, 0.7 + epoch / 100] for epoch in range(1, 11)],
            value=0.8,
            report={"value": 0.8, "epoch": 10, "epochs": 10, "seconds": 30.0, "parameters": 400_000},
            log_tail="x" * 4_000,
        )
        for number in range(TRIALS)
    )


def _labels(agent: Agent, boss: Any) -> None:
    """A label set of ten thousand customers, a third of them labelled."""
    choices = [
        {"value": "left", "text": "Has left", "key": "1"},
        {"value": "stayed", "text": "Stays", "key": "2"},
    ]
    labels = LabelSet.objects.create(
        agent=agent, name="Left?", subject="customer", question="Has this customer left?", choices=choices
    )
    items = LabelItem.objects.bulk_create(
        LabelItem(
            label_set=labels,
            customer_id=f"C{number + 1}",
            at=NOW,
            probabilities={"left": 0.6, "stayed": 0.4},
            uncertainty=0.8,
            drawn=number % 5 == 0,
            place=float(number),
            status=ItemStatus.AGREED if number % 3 == 0 else ItemStatus.OPEN,
            label="left" if number % 3 == 0 else "",
            suspicion=0.5 if number % 3 == 0 else None,
        )
        for number in range(LABELLED)
    )
    Annotation.objects.bulk_create(
        Annotation(item=item, user=boss, kind=AnnotationKind.LABEL, label="left", seconds=3.0)
        for item in items
        if item.label
    )


def _scores(agent: Agent, scoring: ScoringRun, customers: int) -> None:
    shared = f"SELECT '{scoring.pk}'::uuid, '', 'C' || i, "
    table = get_recipe(agent.name).score_model._meta.db_table
    if agent.name == "churn":
        reasons = (
            '\'{"reasons": [{"code": "recency", "direction": "up", "days": 40}], "before": 0.4}\'::jsonb'
        )
        score = "CASE i %% 5 WHEN 2 THEN NULL ELSE (i %% 9973) / 9973.0 END"
        _insert(
            f"INSERT INTO {table} (scoring_id, tenant, customer_id, score, payload, tier, trend) "
            f"{shared}{score}, {reasons}, {TIERS}, 'steady' FROM {NUMBERS}",
            customers,
        )
    elif agent.name == "recommender":
        items = '\'{"source": "model", "items": [{"product": "1", "score": 0.3, "reasons": []}]}\'::jsonb'
        _insert(
            f"INSERT INTO {table} (scoring_id, tenant, customer_id, score, payload) "
            f"{shared}(i %% 9973) / 9973.0, {items} FROM {NUMBERS}",
            customers,
        )


def _insert(sql: str, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [count])


def evaluation() -> dict[str, Any]:
    """An evaluation as large as a real one."""
    line = [[i / 100, i / 100] for i in range(100)]
    metrics = dict.fromkeys(
        ("roc_auc", "pr_auc", "brier", "ece", "accuracy", "precision", "recall", "f1"), 0.5
    )
    return {
        "windows": {
            name: [(NOW - dt.timedelta(days=begin)).isoformat(), (NOW - dt.timedelta(days=end)).isoformat()]
            for name, begin, end in (("train", 700, 180), ("validation", 180, 90), ("test", 90, 0))
        },
        "counts": {"train": 9_000, "validation": 4_000, "test": 4_000},
        "metrics": {"model": metrics, "baselines": {"recency_rule": metrics, "base_rate": metrics}},
        "validation": {"model": metrics, "baselines": {"recency_rule": metrics}},
        "curves": {
            "learning": [
                {"epoch": epoch, "train_loss": 1 / epoch, "validation": {"roc_auc": 0.7}}
                for epoch in range(1, 21)
            ],
            "roc": line,
            "pr": line,
            "calibration": [{"predicted": i / 10, "observed": i / 10, "count": 400} for i in range(10)],
            "histogram": [
                {"from": i / 10, "to": (i + 1) / 10, "positives": 9, "negatives": 9} for i in range(10)
            ],
            "confusion": {"tp": 1, "fp": 1, "fn": 1, "tn": 1, "threshold": 0.5},
        },
        "seconds": {"fitting": 60.0},
    }
