import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crm_agents.folders import artifact_folder, score_file
from crm_agents.models import Agent, AuditEntry, Feedback, RunStatus, ScoringRun, ScoringShard
from crm_agents.selectors import live_score, live_scores
from crm_agents.services import retention, score_writing, shards
from crm_agents.services.execution import execute_run
from crm_agents.services.leases import LeaseLost, claim
from crm_agents.services.retention import erase_removed_customers
from crm_agents.services.runs import start_run
from crm_agents.services.score_writing import parsed, write_scores
from crm_agents.services.scoring import (
    NothingToScore,
    ScoringAlreadyActive,
    cancel_scorings,
    start_scoring,
)
from crm_agents.services.shards import score_shard
from crm_data.models import Customer, Interaction, Snapshot
from crm_data.services.snapshots import build_snapshot
from handoff.errors import HandoffError
from handoff.scores import SCORES
from recommender.models import RecommendationSet
from tests.published import publish

pytestmark = pytest.mark.django_db(transaction=True)

Stub = Callable[..., None]


@pytest.fixture
def scoring(agent: Agent, shop: None, woken: list[str], stub: Stub, settings: Any) -> ScoringRun:
    """A scoring in two shards, not begun, by version 1."""
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SHARD_EVENTS": 12}
    execute_run(start_run(agent).pk)
    woken.clear()
    return ScoringRun.objects.get()


def score_all(scoring: ScoringRun) -> None:
    for shard in scoring.shards.all():
        score_shard(shard.pk)


def test_the_last_shard_publishes_the_whole_set(scoring: ScoringRun, agent: Agent) -> None:
    first, last = scoring.shards.all()
    score_shard(last.pk)
    agent.refresh_from_db()
    scoring.refresh_from_db()
    assert (agent.live_scoring, scoring.status) == (None, RunStatus.SCORING)
    assert list(live_scores(agent)) == []

    score_shard(first.pk)
    agent.refresh_from_db()
    scoring.refresh_from_db()
    assert (agent.live_scoring, agent.live_version) == (scoring, scoring.version)
    assert (scoring.status, scoring.rows) == (RunStatus.SUCCEEDED, 6)
    assert scoring.published_at is not None
    assert {row.customer_id for row in live_scores(agent)} == {"C1", "C2", "C3", "C4", "C5", "C6"}
    assert sum(shard.rows for shard in scoring.shards.all()) == 6
    entry = AuditEntry.objects.order_by("id").last()
    assert entry is not None
    assert (entry.action, entry.subject) == ("scores.published", "recommender v1")
    assert entry.detail == {"scoring": str(scoring.pk), "rows": 6}
    assert not score_file(first).parent.exists()


def test_the_scores_speak_of_the_last_event(scoring: ScoringRun) -> None:
    assert scoring.as_of.isoformat() == "2026-06-30T12:00:00+00:00"


def test_a_failed_shard_publishes_nothing(scoring: ScoringRun, agent: Agent, stub: Stub) -> None:
    score_all(scoring)
    agent.refresh_from_db()
    before = sorted(live_scores(agent).values_list("pk", flat=True))
    assert len(before) == 6
    stub(fail_shard=1)
    second = start_scoring(agent)
    score_all(second)

    second.refresh_from_db()
    agent.refresh_from_db()
    message = "The trainer ended with exit status 1: shard 1 was told to fail"
    assert (second.status, second.error) == (RunStatus.FAILED, f"Shard 1: {message}")
    assert [shard.status for shard in second.shards.all()] == [RunStatus.SUCCEEDED, RunStatus.FAILED]
    assert agent.live_scoring == scoring
    assert sorted(live_scores(agent).values_list("pk", flat=True)) == before
    assert not RecommendationSet.objects.filter(scoring=second).exists()
    assert AuditEntry.objects.filter(action="scoring.failed").count() == 1


def test_after_a_failure_the_other_shards_are_not_begun(scoring: ScoringRun, stub: Stub) -> None:
    stub(fail_shard=0)
    score_all(scoring)

    assert [shard.status for shard in scoring.shards.all()] == [RunStatus.FAILED, RunStatus.CANCELLED]
    assert RecommendationSet.objects.count() == 0


@pytest.mark.parametrize("damage", ["weights.safetensors", "manifest.json", "a stranger"])
def test_a_corrupt_artifact_is_refused(scoring: ScoringRun, agent: Agent, damage: str) -> None:
    file = artifact_folder(scoring.version) / damage
    file.write_bytes((file.read_bytes() if file.exists() else b"") + b" ")
    score_all(scoring)

    scoring.refresh_from_db()
    agent.refresh_from_db()
    assert scoring.status == RunStatus.FAILED
    assert damage in scoring.error
    assert agent.live_scoring is None
    assert RecommendationSet.objects.count() == 0


def test_an_attempt_replaces_what_an_earlier_one_wrote(scoring: ScoringRun, agent: Agent) -> None:
    for shard in scoring.shards.all():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shards, "publish_if_complete", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                score_shard(shard.pk)
        ScoringShard.objects.filter(pk=shard.pk).update(status=RunStatus.QUEUED)
        ScoringRun.objects.update(status=RunStatus.SCORING)
        ScoringShard.objects.update(cancel_requested=False, status=RunStatus.QUEUED)
    score_all(scoring)

    agent.refresh_from_db()
    assert live_scores(agent).count() == 6


def test_a_worker_that_lost_its_shard_writes_nothing(scoring: ScoringRun, tmp_path: Path) -> None:
    shard = scoring.shards.all()[0]
    lease = claim(ScoringShard, shard.pk, RunStatus.SCORING)
    assert lease is not None
    ScoringShard.objects.update(lease_owner=None)
    file = tmp_path / "scores.parquet"
    pl.DataFrame([("1", 0.5, "{}")], schema=SCORES, orient="row").write_parquet(file)

    with pytest.raises(LeaseLost):
        write_scores(scoring, file, lease)
    assert RecommendationSet.objects.count() == 0


def test_rows_are_written_in_small_batches_as_the_file_has_them(
    scoring: ScoringRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_writing, "BATCH", 2)
    lease = claim(ScoringShard, scoring.shards.all()[0].pk, RunStatus.SCORING)
    assert lease is not None
    rows = [
        (f"X{number}", number / 10 if number else None, json.dumps({"n": [number]})) for number in range(5)
    ]
    file = tmp_path / "scores.parquet"
    pl.DataFrame(rows, schema=SCORES, orient="row").write_parquet(file)

    assert write_scores(scoring, file, lease) == 5
    assert write_scores(scoring, file, lease) == 5
    stored = RecommendationSet.objects.order_by("customer_id").values_list("customer_id", "score", "payload")
    assert list(stored) == [
        ("X0", None, {"n": [0]}),
        ("X1", 0.1, {"n": [1]}),
        ("X2", 0.2, {"n": [2]}),
        ("X3", 0.3, {"n": [3]}),
        ("X4", 0.4, {"n": [4]}),
    ]


def test_a_payload_keeps_nothing_that_a_database_refuses() -> None:
    text = '{"a": NaN, "b": [-Infinity, 1], "c": "x\\u0000y"}'

    assert parsed(text) == {"a": None, "b": [None, 1], "c": "xy"}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"customer": ["a"]}), "has the columns"),
        (
            pl.DataFrame([("a", float("nan"), "{}")], schema=SCORES, orient="row"),
            "customer a is not a finite",
        ),
    ],
)
def test_a_file_that_is_no_score_file_is_refused(
    scoring: ScoringRun, tmp_path: Path, frame: pl.DataFrame, words: str
) -> None:
    lease = claim(ScoringShard, scoring.shards.all()[0].pk, RunStatus.SCORING)
    assert lease is not None
    frame.write_parquet(tmp_path / "scores.parquet")

    with pytest.raises(HandoffError, match=words):
        write_scores(scoring, tmp_path / "scores.parquet", lease)
    (tmp_path / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(HandoffError, match="is not a score file"):
        write_scores(scoring, tmp_path / "scores.parquet", lease)
    assert RecommendationSet.objects.count() == 0


def test_a_removed_customer_disappears_with_the_next_scoring(scoring: ScoringRun, agent: Agent) -> None:
    score_all(scoring)
    gone = Customer.objects.get(code="C3")
    gone.interactions.all().delete()
    gone.delete()
    build_snapshot()
    agent.refresh_from_db()
    assert live_score(agent, "C3") is not None
    score_all(start_scoring(agent))

    agent.refresh_from_db()
    assert live_score(agent, "C3") is None
    assert live_scores(agent).count() == 5


def test_what_was_derived_from_a_removed_customer_is_erased(
    scoring: ScoringRun, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    score_all(scoring)
    other = publish("churn", {"C3": (0.5, {"reasons": []})})
    for owner, customer in ((agent, "C3"), (agent, "C4"), (agent, "C5"), (other, "C3")):
        Feedback.objects.create(agent=owner, customer_id=customer, verdict="wrong")
    Interaction.objects.filter(customer__code__in=["C3", "C4"]).delete()
    Customer.objects.filter(code__in=["C3", "C4"]).delete()
    build_snapshot()
    execute_run(start_run(agent).pk)
    score_all(ScoringRun.objects.get(version__number=2, version__agent=agent))

    assert ScoringRun.objects.filter(agent=agent, published_at__isnull=False).count() == 2
    assert not RecommendationSet.objects.filter(customer_id__in=["C3", "C4"]).exists()
    assert RecommendationSet.objects.filter(scoring=scoring).count() == 4
    left = Feedback.objects.order_by("id").values_list("agent__name", "customer_id")
    assert list(left) == [("recommender", "C5"), ("churn", "C3")]  # churn's go with its own scoring
    entry = AuditEntry.objects.get(action="customers.erased")
    assert (entry.subject, entry.detail) == ("recommender", {"recommendationset": 2, "feedback": 2})


def test_nothing_is_erased_by_scores_of_older_data(scoring: ScoringRun, agent: Agent) -> None:
    score_all(scoring)
    Feedback.objects.create(agent=agent, customer_id="gone", verdict="wrong")
    agent.refresh_from_db()
    build_snapshot()
    assert erase_removed_customers(agent) == 0

    assert scoring.snapshot_id is not None
    Snapshot.objects.exclude(pk=scoring.snapshot_id).delete()
    assert erase_removed_customers(agent) == 1


def test_what_is_said_of_a_customer_newer_than_the_snapshot_stays(scoring: ScoringRun, agent: Agent) -> None:
    score_all(scoring)
    Customer.objects.create(code="C7")
    Feedback.objects.create(agent=agent, customer_id="C7", verdict="wrong")
    agent.refresh_from_db()

    assert erase_removed_customers(agent) == 0
    assert Feedback.objects.count() == 1


def test_one_scoring_at_a_time_unless_it_supersedes(
    scoring: ScoringRun, agent: Agent, woken: list[str]
) -> None:
    with pytest.raises(ScoringAlreadyActive) as refusal:
        start_scoring(agent, version=scoring.version)
    assert refusal.value.scoring == scoring
    assert woken == []

    second = start_scoring(agent, version=scoring.version, supersede=True)
    scoring.refresh_from_db()
    assert scoring.status == RunStatus.CANCELLED
    assert [shard.status for shard in scoring.shards.all()] == [RunStatus.CANCELLED] * 2
    assert woken == [str(shard.pk) for shard in second.shards.all()]


def test_cancelling_asks_running_shards_to_end(scoring: ScoringRun, agent: Agent) -> None:
    running = scoring.shards.all()[0]
    claim(ScoringShard, running.pk, RunStatus.SCORING)

    assert cancel_scorings(agent) == 1
    assert cancel_scorings(agent) == 0
    running.refresh_from_db()
    assert (running.status, running.cancel_requested) == (RunStatus.SCORING, True)


def test_without_a_version_or_a_snapshot_there_is_nothing_to_score(agent: Agent, db: None) -> None:
    with pytest.raises(NothingToScore, match="recommender has no live version to score with."):
        start_scoring(agent)
    assert ScoringRun.objects.count() == 0
