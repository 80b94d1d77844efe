"""Sweeps whose steps come twice at once, or whose queue is down: the rows are the truth."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from crm_agents.models import Agent, RunStatus, Sweep, SweepStatus, TrainingRun
from crm_agents.services.sweeping import sweep as heal
from crm_agents.services.tuning import advancing
from crm_agents.services.tuning.advancing import advance
from crm_agents.services.tuning.results import trials_of
from crm_agents.services.tuning.sweeps import start_sweep
from crm_data.services.snapshots import build_snapshot
from tests.faults.test_sweeps import SPACE, found, is_over
from tests.faults.test_worker import Stub
from tests.worker import WorkerProcess, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 4


def at_once(work: Callable[[], object]) -> None:
    """Do `work` in several threads, each with a database connection of its own."""
    barrier = Barrier(AT_ONCE)

    def begin() -> None:
        barrier.wait(10)
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(begin) for _ in range(AT_ONCE)]:
            done.result(60)


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message comes through."""
    monkeypatch.setattr("crm_agents.services.waking._reached", lambda publish: False)


def ready(agent: Agent, **options: Any) -> Sweep:
    sweep = start_sweep(agent, space=SPACE, seed=3, **options)
    Sweep.objects.filter(pk=sweep.pk).update(snapshot=build_snapshot())
    return sweep


def test_a_step_that_many_take_at_once_is_taken_once(agent: Agent, unheard: None) -> None:
    sweep = ready(agent, trials=7, parallel=3)
    at_once(lambda: advance(sweep.pk))
    assert [trial.trial for trial in trials_of(sweep)] == [0, 1, 2]

    sweep.trials.filter(trial__lt=2).update(status=RunStatus.SUCCEEDED, value=0.5)
    at_once(lambda: advance(sweep.pk))
    assert [trial.trial for trial in trials_of(sweep)] == [0, 1, 2, 3, 4]


def test_an_end_that_many_reach_at_once_is_reached_once(agent: Agent, unheard: None) -> None:
    sweep = ready(agent, trials=5, parallel=5, train_best=True)
    advance(sweep.pk)
    for number in range(5):
        sweep.trials.filter(trial=number).update(status=RunStatus.SUCCEEDED, value=0.1 * number)
    at_once(lambda: advance(sweep.pk))

    sweep.refresh_from_db()
    assert (sweep.status, sweep.error) == (SweepStatus.SUCCEEDED, "")
    assert set(sweep.importance) == set(SPACE)
    assert TrainingRun.objects.filter(sweep=None).count() == 1


def test_what_mattered_is_weighed_though_the_last_trial_ends_in_between(
    agent: Agent, unheard: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = ready(agent, trials=4, parallel=4, pruner="none")
    advance(sweep.pk)
    for number in range(3):
        sweep.trials.filter(trial=number).update(status=RunStatus.SUCCEEDED, value=0.1 * number)
    weigh = advancing._importance

    def end_then(pk: Any) -> dict[str, float] | None:
        shares = weigh(pk)
        sweep.trials.filter(trial=3).update(status=RunStatus.SUCCEEDED, value=0.5)
        return shares

    monkeypatch.setattr(advancing, "_importance", end_then)
    advance(sweep.pk)
    sweep.refresh_from_db()
    assert sweep.status == SweepStatus.SUCCEEDED
    assert set(sweep.importance) == set(SPACE)


def test_a_sweep_that_cannot_go_on_holds_up_nothing_else(
    agent: Agent, unheard: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = ready(agent, trials=2)
    resent: list[bool] = []

    def resend() -> int:
        resent.append(True)
        return 0

    monkeypatch.setattr("crm_agents.services.sweeping.resend_lost", resend)
    with monkeypatch.context() as patch:
        patch.setattr(advancing, "_start", lambda *_: 1 / 0)
        heal()
    assert resent == [True]
    assert f"Sweep {sweep.pk} cannot go on; trying again." in caplog.text
    assert sweep.trials.count() == 0
    heal()
    assert sweep.trials.count() == 1


@pytest.mark.worker
def test_a_sweep_that_advanced_while_the_queue_was_down_ends_as_any_other(
    agent: Agent, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.waking._reached", lambda publish: False)
        lost = start_sweep(agent, space=SPACE, trials=2, seed=3)
        advance(lost.pk)
    assert lost.trials.get().notice.startswith("The queue cannot be reached.")
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_over(lost), seconds=60, about=worker.log)
        other = start_sweep(agent, space=SPACE, trials=2, seed=3)
        wait_for(lambda: is_over(other), seconds=60, about=worker.log)
    assert lost.status == SweepStatus.SUCCEEDED
    assert found(lost) == found(other)
    assert {trial.notice for trial in trials_of(lost)} == {""}
