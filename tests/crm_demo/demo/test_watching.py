"""What the terminal says of each agent, from its rows alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crm_agents.models import Agent, ModelVersion, RunStatus, ScoringRun, ScoringShard, TrainingRun
from crm_agents.models.agent import Verdict
from crm_data.models import Snapshot
from crm_demo.demo.watching import BAR, View, view
from tests.published import TOO_LOW

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.fixture
def agent() -> Agent:
    return Agent.objects.create(name="churn")


@pytest.fixture
def run(agent: Agent) -> TrainingRun:
    return TrainingRun.objects.create(agent=agent)


def make_version(run: TrainingRun, verdict: Verdict, *reasons: dict[str, Any]) -> ModelVersion:
    snapshot = Snapshot.objects.create(
        folder="one", sha256="0" * 64, watermark=AT, events=1, customers=1, products=1, shards=2
    )
    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED)
    return ModelVersion.objects.create(
        agent=run.agent, number=1, run=run, snapshot=snapshot, verdict=verdict, verdict_reasons=reasons
    )


def make_scoring(version: ModelVersion, *done: bool) -> ScoringRun:
    scoring = ScoringRun.objects.create(
        agent=version.agent,
        version=version,
        snapshot=version.snapshot,
        as_of=AT,
        status=RunStatus.SCORING,
    )
    for number, ended in enumerate(done):
        status = RunStatus.SUCCEEDED if ended else RunStatus.QUEUED
        ScoringShard.objects.create(scoring=scoring, shard=number, status=status)
    return scoring


def test_without_a_run_the_agent_was_published_earlier(agent: Agent) -> None:
    assert view(agent, None) == View("churn", 1.0, "published earlier", ended=True, published=True)


def test_a_queued_run_has_not_begun(agent: Agent, run: TrainingRun) -> None:
    assert view(agent, run) == View("churn", 0.0, "queued")


def test_a_notice_of_the_queue_is_passed_on(agent: Agent, run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(notice="The queue cannot be reached.")
    assert view(agent, run).words == "queued The queue cannot be reached."


def test_half_of_the_training_is_past_half_of_the_way(agent: Agent, run: TrainingRun) -> None:
    progress = {"phase": "training", "step": 30, "of": 60, "loss": 1.23456}
    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.TRAINING, progress=progress)
    seen = view(agent, run)
    assert seen.share == pytest.approx(0.25 + 0.57 / 2)
    assert seen.words == "training 30/60 loss 1.235"
    assert not seen.ended


def test_a_failure_says_what_went_wrong(agent: Agent, run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error="The disk is full.")
    assert view(agent, run) == View("churn", 1.0, "failed The disk is full.", ended=True)


def test_too_little_data_says_what_is_missing(agent: Agent, run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.NOT_ENOUGH_DATA, missing=[{"code": "customers", "have": 7, "need": 50}]
    )
    assert view(agent, run).words == "not enough data 7 customers with purchases; at least 50 are needed."


def test_the_gate_ends_the_way(agent: Agent, run: TrainingRun) -> None:
    make_version(run, Verdict.FAILED, TOO_LOW)
    expected = (
        "held back by the gate: NDCG@10 0.1000 is not enough to beat 0.3000 "
        "(Customer's own most frequent products); needed: at least 0.3030."
    )
    assert view(agent, run) == View("churn", 1.0, expected, ended=True)


def test_shards_are_counted_until_the_scores_are_published(agent: Agent, run: TrainingRun) -> None:
    version = make_version(run, Verdict.PASSED)
    assert view(agent, run) == View("churn", 0.9, "about to score")

    scoring = make_scoring(version, True, False)
    halfway = view(agent, run)
    assert halfway.words == "scoring 1/2"
    assert halfway.share == pytest.approx(0.95)

    ScoringRun.objects.filter(pk=scoring.pk).update(status=RunStatus.SUCCEEDED, rows=1200, published_at=AT)
    published = View("churn", 1.0, "published for 1,200 customers", ended=True, published=True)
    assert view(agent, run) == published


def test_a_failed_scoring_publishes_nothing(agent: Agent, run: TrainingRun) -> None:
    scoring = make_scoring(make_version(run, Verdict.PASSED), False)
    ScoringRun.objects.filter(pk=scoring.pk).update(status=RunStatus.FAILED, error="A shard is damaged.")
    assert view(agent, run) == View("churn", 1.0, "scoring failed A shard is damaged.", ended=True)


def test_a_line_is_name_bar_share_and_words() -> None:
    line = View("churn", 0.5, "training 1/2").line()
    assert line == f"churn         {'█' * (BAR // 2)}{'·' * (BAR // 2)}  50%  training 1/2"
