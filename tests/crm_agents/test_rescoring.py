from collections.abc import Callable

import pytest

from crm_agents import tasks
from crm_agents.models import Agent, RunStatus, ScoringRun, TrainingRun
from crm_agents.services import rescoring
from crm_agents.services.execution import execute_run
from crm_agents.services.rescoring import score_live_agents
from crm_agents.services.runs import start_run
from crm_agents.services.scoring import start_scoring
from crm_agents.services.shards import score_shard
from crm_data.models import Snapshot
from crm_data.services.snapshots import SnapshotError, build_snapshot
from handoff.errors import HandoffError
from tests.published import publish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(agent: Agent, shop: None, woken: list[str], stub: Callable[..., None]) -> Agent:
    execute_run(start_run(agent).pk)
    for shard in ScoringRun.objects.get().shards.all():
        score_shard(shard.pk)
    return agent


def test_live_agents_are_scored_on_a_new_snapshot(live: Agent, woken: list[str]) -> None:
    assert score_live_agents() == 1

    scoring = ScoringRun.objects.order_by("created_at").last()
    assert scoring is not None
    assert (scoring.agent, scoring.status) == (live, RunStatus.QUEUED)
    assert scoring.snapshot == Snapshot.objects.order_by("-id").first()
    assert Snapshot.objects.count() == 2
    assert score_live_agents() == 0  # the first is still under way
    assert ScoringRun.objects.count() == 2


def test_a_version_promoted_while_the_snapshot_is_built_stays_live(
    live: Agent, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(tenant: str) -> Snapshot:
        publish("recommender", {"C1": (0.5, {"items": []})})
        return build_snapshot(tenant)

    monkeypatch.setattr(rescoring, "build_snapshot", build)
    assert score_live_agents() == 1

    scoring = ScoringRun.objects.get(status=RunStatus.QUEUED)
    assert scoring.version.number == 2


def test_an_agent_that_cannot_be_scored_does_not_hold_up_the_others(
    live: Agent, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish("churn", {})

    def start(agent: Agent) -> ScoringRun:
        if agent == first:
            raise HandoffError("manifest.json does not exist.")
        return start_scoring(agent)

    monkeypatch.setattr(rescoring, "start_scoring", start)
    assert score_live_agents() == 1

    assert ScoringRun.objects.get(status=RunStatus.QUEUED).agent == live


def test_agents_without_a_live_version_are_left_out(agent: Agent, shop: None) -> None:
    assert score_live_agents() == 0
    assert Snapshot.objects.count() == 0


def test_a_snapshot_that_cannot_be_built_leaves_the_scores(
    live: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(tenant: str) -> Snapshot:
        raise SnapshotError("The disk is full.")

    monkeypatch.setattr(rescoring, "build_snapshot", fail)

    assert score_live_agents() == 0
    assert ScoringRun.objects.count() == 1


def test_a_schedule_may_start_a_run_by_name(agent: Agent, woken: list[str]) -> None:
    tasks.train("recommender")

    run = TrainingRun.objects.get()
    assert (run.agent, run.started_by) == (agent, None)
    assert woken == [str(run.pk)]
