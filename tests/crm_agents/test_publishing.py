import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from crm_agents.models import (
    Agent,
    AuditEntry,
    Feedback,
    Kept,
    ModelVersion,
    RunStatus,
    ScoringRun,
    TrainingRun,
)
from crm_agents.selectors import live_scores, published_scorings
from crm_agents.services import retention
from crm_agents.services.publishing import GateNotPassed, NothingToRollBackTo, promote_version, roll_back
from crm_agents.services.retention import delete_old_scores, erase_customer
from crm_agents.services.scoring import ScoringAlreadyActive, cancel_scorings, start_scoring
from crm_data.models import Snapshot
from recommender.models import RecommendationSet
from tests.published import TOO_LOW, publish

pytestmark = pytest.mark.django_db(transaction=True)

Publish = Callable[..., Agent]


@pytest.fixture
def published(woken: list[str], agents_root: Path) -> Publish:
    """Publish a version with one customer's score, over a snapshot of the same data each time."""
    folder = agents_root / "snapshots" / "one"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"last_event": "2011-12-09T12:50:00+00:00"}))

    def next_version(score: float = 0.5) -> Agent:
        return publish("recommender", {"C1": (score, {"source": "model", "items": []})})

    return next_version


def scores(agent: Agent) -> list[Any]:
    agent.refresh_from_db()
    return [row.score for row in live_scores(agent)]


def test_rolling_back_shows_the_version_before_at_once(published: Publish) -> None:
    published(0.1)
    agent = published(0.2)
    user = User.objects.create_user("ann")
    scoring = roll_back(agent, user=user)

    assert scores(agent) == [0.1]
    assert (agent.live_scoring, agent.live_version) == (scoring, scoring.version)
    assert scoring.version.number == 1
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.user) == ("version.rolled_back", "recommender v1", user)
    assert entry.detail == {"from": 2}


def test_rolling_back_goes_to_what_was_live_before_and_not_to_a_lower_number(published: Publish) -> None:
    for score in (0.1, 0.2, 0.3):
        agent = published(score)
    promote_version(ModelVersion.objects.get(number=1))
    assert scores(agent) == [0.1]

    assert roll_back(agent).version.number == 3
    assert scores(agent) == [0.3]
    assert roll_back(agent).version.number == 1


def test_a_set_that_goes_live_again_is_published_anew(published: Publish) -> None:
    agent = published(0.1)
    first = agent.live_scoring
    assert first is not None
    published(0.2)
    again = promote_version(ModelVersion.objects.get(number=1))

    assert again is not None
    assert again.published_at is not None
    assert first.published_at is not None
    assert again.published_at > first.published_at
    assert [run.version.number for run in published_scorings(agent)] == [1, 2]


def test_a_rollback_ends_a_scoring_that_would_undo_it(published: Publish) -> None:
    published(0.1)
    agent = published(0.2)
    assert agent.live_version is not None
    active = ScoringRun.objects.create(
        agent=agent,
        version=agent.live_version,
        snapshot=agent.live_version.snapshot,
        as_of="2011-12-09T00:00Z",
    )
    roll_back(agent)

    active.refresh_from_db()
    assert active.status == RunStatus.CANCELLED
    assert scores(agent) == [0.1]


def test_a_cancel_that_cannot_be_audited_ends_nothing(
    published: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = published()
    scoring = start_scoring(agent)
    monkeypatch.setattr("crm_agents.services.audit.record", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cancel_scorings(agent)

    scoring.refresh_from_db()
    assert scoring.status == RunStatus.QUEUED


def test_runs_are_named_by_the_time_of_the_reader(published: Publish, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    agent = published()
    began = {"created_at": datetime(2026, 3, 1, 20, 15, tzinfo=UTC)}
    ModelVersion.objects.get().scorings.update(**began)
    TrainingRun.objects.update(**began)

    assert str(TrainingRun.objects.get()) == "recommender 2026-03-02 04:15"
    assert str(ScoringRun.objects.get()) == "recommender v1 2026-03-02 04:15"
    ScoringRun.objects.filter(pk=start_scoring(agent).pk).update(**began)
    with pytest.raises(ScoringAlreadyActive, match=r"since 2026-03-02 04:15\."):
        start_scoring(agent)


def test_there_may_be_nothing_to_roll_back_to(published: Publish) -> None:
    agent = published(0.1)
    with pytest.raises(NothingToRollBackTo, match="recommender has no other version with scores"):
        roll_back(agent)

    assert scores(agent) == [0.1]
    assert AuditEntry.objects.count() == 0


def test_promoting_a_version_with_fresh_scores_flips_at_once(published: Publish, woken: list[str]) -> None:
    published(0.1)
    agent = published(0.2)
    scoring = promote_version(ModelVersion.objects.get(number=1))

    assert scores(agent) == [0.1]
    assert agent.live_scoring == scoring
    assert woken == []
    assert [entry.action for entry in AuditEntry.objects.all()] == ["version.promoted"]


def test_promoting_over_newer_data_scores_first(published: Publish, woken: list[str]) -> None:
    published(0.1)
    agent = published(0.2)
    Snapshot.objects.filter(pk=Snapshot.objects.order_by("-id").values("pk")[:1]).update(sha256="1" * 64)
    scoring = promote_version(ModelVersion.objects.get(number=1))

    assert scores(agent) == [0.2]
    assert (scoring.status, scoring.version.number, scoring.published_at) == (RunStatus.QUEUED, 1, None)
    assert woken == [str(shard.pk) for shard in scoring.shards.all()]


def test_a_failed_gate_is_overridden_only_with_a_reason(published: Publish) -> None:
    published(0.1)
    agent = published(0.2)
    version = ModelVersion.objects.get(number=1)
    version.verdict, version.verdict_reasons = "failed", [TOO_LOW]
    version.save()
    with pytest.raises(
        GateNotPassed, match=r"v1 did not pass its gate: NDCG@10 0\.1000 is not enough to beat 0\.3000"
    ):
        promote_version(version, override_reason="  ")
    assert scores(agent) == [0.2]
    assert AuditEntry.objects.count() == 0

    promote_version(version, override_reason="The catalogue changed.")
    assert scores(agent) == [0.1]
    assert AuditEntry.objects.get().detail == {"override_reason": "The catalogue changed."}


def test_old_score_sets_go_and_the_live_one_stays(
    published: Publish, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "KEPT_SCORE_SETS": 2}
    monkeypatch.setattr(retention, "BATCH", 1)
    for number in range(1, 5):
        agent = published(number / 10)
    Feedback.objects.create(
        agent=agent, scoring=ScoringRun.objects.get(version__number=2), customer_id="C1", verdict="accepted"
    )
    promote_version(ModelVersion.objects.get(number=1))

    assert delete_old_scores(agent) == 2
    assert [row.score for row in RecommendationSet.objects.order_by("score")] == [0.1, 0.4]
    assert scores(agent) == [0.1]
    gone = Feedback.objects.get().scoring
    assert gone is not None
    assert (gone.scores, gone.snapshot) == (Kept.GONE, None)  # its record stays
    assert delete_old_scores(agent) == 0


def test_only_the_newest_set_of_a_version_is_kept(published: Publish) -> None:
    agent = published(0.1)
    old = agent.live_scoring
    assert old is not None
    new = ScoringRun.objects.create(
        agent=agent,
        version=old.version,
        snapshot=old.snapshot,
        as_of=old.as_of,
        status=RunStatus.SUCCEEDED,
        published_at=timezone.now(),
    )
    RecommendationSet.objects.create(scoring=new, customer_id="C1", score=0.9)
    agent.live_scoring = new
    agent.save()

    assert delete_old_scores(agent) == 1
    assert scores(agent) == [0.9]
    old.refresh_from_db()
    assert (old.scores, old.snapshot) == (Kept.GONE, None)
    assert list(published_scorings(agent)) == [new]


def test_a_failed_scoring_keeps_its_row_and_loses_its_scores(published: Publish) -> None:
    agent = published(0.1)
    assert agent.live_scoring is not None
    failed = ScoringRun.objects.create(
        agent=agent,
        version=agent.live_scoring.version,
        snapshot=agent.live_scoring.snapshot,
        as_of=agent.live_scoring.as_of,
        status=RunStatus.FAILED,
        error="broken",
    )
    RecommendationSet.objects.create(scoring=failed, customer_id="C1", score=0.9)

    assert delete_old_scores(agent) == 1
    failed.refresh_from_db()
    assert failed.error == "broken"
    assert scores(agent) == [0.1]


def test_erasing_a_customer_takes_scores_and_feedback(published: Publish) -> None:
    agent = published(0.1)
    publish("churn", {"C1": (0.7, {"reasons": []}), "C2": (0.2, {"reasons": []})})
    Feedback.objects.create(agent=agent, customer_id="C1", verdict="accepted")
    Feedback.objects.create(agent=agent, customer_id="C2", verdict="accepted")

    assert erase_customer("", "C1") == 3
    assert erase_customer("other", "C2") == 0
    assert RecommendationSet.objects.count() == 0
    assert [row.customer_id for row in Feedback.objects.all()] == ["C2"]
