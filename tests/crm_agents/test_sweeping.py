from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.utils import timezone

from crm_agents.folders import run_folder
from crm_agents.models import Agent, RunStatus, ScoringRun, ScoringShard, TrainingRun
from crm_agents.services import sweeping
from crm_agents.services.leases import claim
from crm_agents.services.sweeping import sweep
from tests.published import publish

pytestmark = pytest.mark.django_db(transaction=True)


def stranded(agent: Agent, **values: Any) -> TrainingRun:
    """A run whose worker fell silent a second ago."""
    defaults = {
        "status": RunStatus.TRAINING,
        "attempts": 1,
        "lease_owner": uuid4(),
        "lease_until": timezone.now() - timedelta(seconds=1),
        "woken_at": timezone.now(),
    }
    return TrainingRun.objects.create(agent=agent, **{**defaults, **values})


def test_a_stranded_run_waits_again_and_is_woken(agent: Agent, woken: list[str]) -> None:
    run = stranded(agent)
    assert sweep() == 2  # requeued, and woken

    run.refresh_from_db()
    assert (run.status, run.attempts, run.lease_owner, run.lease_until) == (RunStatus.QUEUED, 1, None, None)
    assert woken == [str(run.pk)]
    assert sweep() == 0


def test_a_run_whose_lease_holds_is_left_alone(agent: Agent, woken: list[str]) -> None:
    run = stranded(agent, lease_until=timezone.now() + timedelta(seconds=5))

    assert sweep() == 0
    run.refresh_from_db()
    assert run.status == RunStatus.TRAINING
    assert woken == []


def test_after_the_last_attempt_the_run_fails_with_its_log(agent: Agent, woken: list[str]) -> None:
    run = stranded(agent, attempts=3)
    run_folder(run).mkdir(parents=True)
    (run_folder(run) / "trainer.log").write_text("last words")
    assert sweep() == 1

    run.refresh_from_db()
    assert (run.status, run.log_tail) == (RunStatus.FAILED, "last words")
    assert run.error == (
        "The worker stopped answering 3 times, so it is not tried again. "
        "Most often the machine ran out of memory."
    )
    assert woken == []


def lose(run: TrainingRun, phase: str, step: int) -> str:
    """Let a worker take the run, get as far as `step` and fall silent; return the state after a sweep."""
    assert claim(TrainingRun, run.pk, RunStatus.PREPARING) is not None
    TrainingRun.objects.update(
        status=RunStatus.TRAINING,
        progress={"phase": phase, "step": step, "of": 90},
        lease_until=timezone.now() - timedelta(seconds=1),
    )
    sweep()
    run.refresh_from_db()
    return run.status


def test_a_worker_lost_after_getting_further_costs_no_attempt(agent: Agent, woken: list[str]) -> None:
    run = TrainingRun.objects.create(agent=agent)
    ways = [("pretraining", 40), ("training", 10), ("training", 20), ("training", 30), ("evaluating", 1)]

    assert [lose(run, *way) for way in ways] == ["queued"] * 5
    assert (run.attempts, run.furthest) == (5, [4, 1, 5])


def test_a_run_that_always_dies_at_the_same_step_is_given_up(agent: Agent, woken: list[str]) -> None:
    run = TrainingRun.objects.create(agent=agent)

    assert lose(run, "training", 20) == "queued"
    assert [lose(run, "training", step) for step in (20, 15, 20)] == ["queued", "queued", "failed"]
    assert run.error.startswith("The worker stopped answering 3 times")


def test_preparing_over_and_over_is_no_progress(agent: Agent, woken: list[str]) -> None:
    run = TrainingRun.objects.create(agent=agent)

    assert [lose(run, "preparing", step) for step in (1, 2, 3)] == ["queued", "queued", "failed"]


def test_a_stranded_run_that_was_to_be_cancelled_is(agent: Agent, woken: list[str]) -> None:
    run = stranded(agent, cancel_requested=True)
    assert sweep() == 1

    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert woken == []


def test_a_run_given_back_while_it_was_to_be_cancelled_ends(agent: Agent, woken: list[str]) -> None:
    run = TrainingRun.objects.create(agent=agent, cancel_requested=True)
    assert sweep() == 1

    run.refresh_from_db()
    assert (run.status, run.finished_at is not None) == (RunStatus.CANCELLED, True)
    assert woken == []
    assert sweep() == 0


@pytest.mark.parametrize(
    ("age", "since_woken", "due"),
    [
        (0, None, True),
        (10, 10, False),
        (130, 61, False),
        (130, 71, True),
        (7200, 600, False),
        (7200, 901, True),
    ],
)
def test_a_queued_run_is_woken_again_after_ever_longer_waits(
    agent: Agent, woken: list[str], age: int, since_woken: int | None, due: bool
) -> None:
    now = timezone.now()
    run = TrainingRun.objects.create(
        agent=agent,
        created_at=now - timedelta(seconds=age),
        woken_at=None if since_woken is None else now - timedelta(seconds=since_woken),
    )

    assert sweep() == int(due)
    assert woken == [str(run.pk)] * due


@pytest.fixture
def lost(agent: Agent) -> ScoringShard:
    """The first of two shards, whose worker fell silent at its last attempt."""
    live = publish("recommender", {"C1": (0.5, {"items": []})})
    assert live.live_scoring is not None
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=live.live_scoring.version,
        snapshot=live.live_scoring.snapshot,
        as_of=live.live_scoring.as_of,
        status=RunStatus.SCORING,
    )
    lost = ScoringShard.objects.create(
        scoring=scoring,
        shard=0,
        status=RunStatus.SCORING,
        attempts=3,
        lease_owner=uuid4(),
        lease_until=timezone.now() - timedelta(seconds=1),
    )
    ScoringShard.objects.create(scoring=scoring, shard=1)
    return lost


def test_a_shard_that_strands_for_good_fails_its_scoring(
    agent: Agent, lost: ScoringShard, woken: list[str]
) -> None:
    scoring, other = lost.scoring, lost.scoring.shards.get(shard=1)
    agent.refresh_from_db()
    live = agent.live_scoring
    assert sweep() == 1

    for row in (lost, other, scoring, agent):
        row.refresh_from_db()
    assert (lost.status, other.status, scoring.status) == ("failed", "cancelled", "failed")
    assert scoring.error.startswith("Shard 0: The worker stopped answering 3 times")
    assert agent.live_scoring == live != scoring


def test_a_sweeper_that_dies_between_shard_and_scoring_leaves_both_to_the_next(
    lost: ScoringShard, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(sweeping, "fail_shard", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sweep()
    lost.refresh_from_db()
    assert lost.status == RunStatus.SCORING
    assert sweep() == 1

    lost.scoring.refresh_from_db()
    assert lost.scoring.status == RunStatus.FAILED
