from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from crm_agents.folders import run_folder
from crm_agents.models import Agent, RunStatus, ScoringRun, ScoringShard, TrainingRun
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


def test_a_stranded_run_that_was_to_be_cancelled_is(agent: Agent, woken: list[str]) -> None:
    run = stranded(agent, cancel_requested=True)
    assert sweep() == 1

    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert woken == []


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


def test_a_shard_that_strands_for_good_fails_its_scoring(agent: Agent, woken: list[str]) -> None:
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
    other = ScoringShard.objects.create(scoring=scoring, shard=1)
    assert sweep() == 1

    for row in (lost, other, scoring, live):
        row.refresh_from_db()
    assert (lost.status, other.status, scoring.status) == ("failed", "cancelled", "failed")
    assert scoring.error.startswith("Shard 0: The worker stopped answering 3 times")
    assert live.live_scoring != scoring
