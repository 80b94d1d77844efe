"""A sweep survives the death of its worker and of its trainers: it ends as an undisturbed one."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_agents.folders import run_folder
from crm_agents.models import Agent, RunStatus, Sweep, SweepStatus, TrainingRun
from crm_agents.services.tuning.results import trials_of
from crm_agents.services.tuning.sweeps import resume_sweep, start_sweep, stop_sweep
from tests.worker import WorkerProcess, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

Stub = Callable[..., None]
SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "backbone": {"type": "choice", "values": ["cnn", "transformer"]},
}


def begin(agent: Agent) -> Sweep:
    return start_sweep(agent, space=SPACE, trials=4, seed=3)


def is_over(sweep: Sweep) -> bool:
    sweep.refresh_from_db()
    return sweep.status not in (SweepStatus.RUNNING, SweepStatus.STOPPED)


def found(sweep: Sweep) -> list[tuple[Any, ...]]:
    return [(trial.config, trial.status, trial.value, trial.reached) for trial in trials_of(sweep)]


def steps(trial: TrainingRun) -> int:
    file = run_folder(trial) / "checkpoints" / "steps"
    return len(file.read_text().split()) if file.exists() else 0


def at_work(sweep: Sweep, number: int) -> TrainingRun | None:
    """Return trial `number` once it is in the middle of its epochs."""
    trial = sweep.trials.filter(trial=number, status=RunStatus.TRAINING).first()
    return trial if trial and 2 <= steps(trial) < 8 else None


def trainer_of(trial: TrainingRun) -> int:
    return int((run_folder(trial) / "starts").read_text().split()[-1])


def test_a_sweep_whose_worker_and_trainer_were_killed_ends_as_an_undisturbed_one(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    stub(epochs=10, seconds=0.3)
    disturbed = begin(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: at_work(disturbed, 1), seconds=90, about=worker.log)
        worker.kill()
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: at_work(disturbed, 2), seconds=90, about=worker.log)
        os.kill(trainer_of(disturbed.trials.get(trial=2)), signal.SIGKILL)
        wait_for(lambda: is_over(disturbed), seconds=90, about=worker.log)
        undisturbed = begin(agent)
        wait_for(lambda: is_over(undisturbed), seconds=90, about=worker.log)

    assert (disturbed.status, disturbed.error) == (SweepStatus.SUCCEEDED, "")
    assert [trial.attempts for trial in trials_of(disturbed)] == [1, 2, 2, 1]
    assert found(disturbed) == found(undisturbed)
    assert disturbed.importance == undisturbed.importance
    assert not any(run_folder(trial).exists() for trial in trials_of(disturbed))


def test_a_sweep_is_stopped_within_seconds_and_resumed(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(epochs=12, seconds=0.3)
    sweep = begin(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: at_work(sweep, 1), seconds=90, about=worker.log)
        stop_sweep(sweep)
        wait_for(lambda: sweep.trials.get(trial=1).status == RunStatus.CANCELLED, seconds=15)
        assert (sweep.status, sweep.trials.count()) == (SweepStatus.STOPPED, 2)
        resume_sweep(sweep)
        wait_for(lambda: is_over(sweep), seconds=90, about=worker.log)

    assert sweep.status == SweepStatus.SUCCEEDED
    assert [trial.trial for trial in trials_of(sweep)] == [0, 1, 2, 3]
    assert {trial.status for trial in trials_of(sweep)} <= {RunStatus.SUCCEEDED, RunStatus.PRUNED}
