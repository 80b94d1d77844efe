import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.models import Agent, RunStatus, TrainingRun
from crm_agents.services import keeping
from crm_agents.services.keeping import Keeper
from crm_agents.services.leases import CancelRequested, Lease, LeaseLost, claim

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(agent: Agent) -> TrainingRun:
    return TrainingRun.objects.create(agent=agent)


def claimed(run: TrainingRun) -> Lease:
    lease = claim(TrainingRun, run.pk, RunStatus.PREPARING)
    assert lease is not None
    return lease


def test_only_one_claim_succeeds(run: TrainingRun) -> None:
    before = timezone.now()
    lease = claimed(run)

    assert claim(TrainingRun, run.pk, RunStatus.PREPARING) is None
    run.refresh_from_db()
    assert (run.status, run.attempts, run.lease_owner) == (RunStatus.PREPARING, 1, lease.owner)
    assert run.started_at is not None
    assert run.lease_until is not None
    assert timedelta(seconds=29) < run.lease_until - before < timedelta(seconds=32)


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.CANCELLED, RunStatus.TRAINING])
def test_a_row_that_is_not_queued_cannot_be_claimed(run: TrainingRun, status: RunStatus) -> None:
    TrainingRun.objects.update(status=status)

    assert claim(TrainingRun, run.pk, RunStatus.PREPARING) is None
    run.refresh_from_db()
    assert (run.status, run.attempts) == (status, 0)


def test_a_worker_that_lost_its_lease_changes_nothing(run: TrainingRun) -> None:
    lost = claimed(run)
    TrainingRun.objects.update(status=RunStatus.QUEUED, lease_owner=None)
    mine = claimed(run)

    with pytest.raises(LeaseLost):
        lost.write(error="late")
    with pytest.raises(LeaseLost):
        lost.finish(RunStatus.FAILED, error="late")
    with pytest.raises(LeaseLost):
        lost.release()
    run.refresh_from_db()
    assert (run.status, run.error, run.lease_owner) == (RunStatus.PREPARING, "", mine.owner)


def test_a_finished_row_has_no_owner_and_cannot_be_finished_again(run: TrainingRun) -> None:
    lease = claimed(run)
    lease.finish(RunStatus.FAILED, error="broken")

    with pytest.raises(LeaseLost):
        lease.finish(RunStatus.SUCCEEDED)
    run.refresh_from_db()
    assert (run.status, run.error, run.lease_owner, run.lease_until) == (
        RunStatus.FAILED,
        "broken",
        None,
        None,
    )
    assert run.finished_at is not None


def test_a_released_row_waits_again_and_the_attempt_does_not_count(run: TrainingRun) -> None:
    claimed(run).release()

    run.refresh_from_db()
    assert (run.status, run.attempts, run.lease_owner, run.woken_at) == (RunStatus.QUEUED, 0, None, None)


def test_the_keeper_renews_writes_news_and_hears_of_a_cancel(
    run: TrainingRun, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "LEASE_SECONDS": 1}
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0.05)
    lease = claimed(run)
    with Keeper(lease) as keeper:
        keeper.note(progress={"step": 1})
        time.sleep(1.5)
        keeper.check()
        run.refresh_from_db()
        assert run.progress == {"step": 1}
        assert run.lease_until is not None
        assert run.lease_until > timezone.now()

        TrainingRun.objects.update(cancel_requested=True)
        time.sleep(0.5)
        with pytest.raises(CancelRequested):
            keeper.check()


def test_the_keeper_notices_a_lost_lease(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0.05)
    with Keeper(claimed(run)) as keeper:
        keeper.check()
        TrainingRun.objects.update(lease_owner=None)
        keeper.note(log_tail="late")
        time.sleep(0.5)
        with pytest.raises(LeaseLost):
            keeper.check()

    run.refresh_from_db()
    assert run.log_tail == ""
