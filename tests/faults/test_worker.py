"""What a real worker process survives. The trainer is a stub: these tests are about the life around it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_agents.folders import artifact_folder, run_folder
from crm_agents.models import Agent, AuditEntry, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.selectors import live_scores
from crm_agents.services.runs import cancel_run, start_run
from crm_agents.services.scoring import start_scoring
from crm_data.services.snapshots import build_snapshot
from tests.worker import REPOSITORY, WorkerProcess, surroundings, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

Stub = Callable[..., None]


def is_live(agent: Agent) -> bool:
    agent.refresh_from_db()
    return agent.live_scoring_id is not None


def has_ended(row: TrainingRun | ScoringRun) -> bool:
    row.refresh_from_db()
    return not row.is_active


def starts(run: TrainingRun) -> list[int]:
    """Return the process ids of the trainers that the run has had."""
    file = run_folder(run) / "starts"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def test_a_run_goes_from_the_queue_to_published_scores(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    run = start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)

    run.refresh_from_db()
    assert (run.status, run.attempts) == (RunStatus.SUCCEEDED, 1)
    assert agent.live_version == run.version
    assert sorted(live_scores(agent).values_list("customer_id", flat=True)) == [f"C{n}" for n in range(1, 7)]


def test_after_kill_9_the_run_resumes_on_a_new_worker_and_finishes_once(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    stub(epochs=6, seconds=0.5)
    run = start_run(agent)
    steps = run_folder(run) / "checkpoints" / "steps"
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: steps.exists() and len(steps.read_text().split()) >= 2, about=worker.log)
        pool, (trainer,) = children(worker.pid), starts(run)
        worker.kill()
        wait_for(lambda: not any(map(is_alive, [*pool, trainer])), seconds=5)  # no orphan goes on

    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
    run.refresh_from_db()
    assert (run.status, run.attempts) == (RunStatus.SUCCEEDED, 2)
    assert len(starts(run)) == 2
    assert (run_folder(run) / "steps").read_text() == "1 2 3 4 5 6 "
    assert ModelVersion.objects.get().number == 1
    assert AuditEntry.objects.filter(action="version.created").count() == 1
    assert ScoringRun.objects.count() == 1


def test_a_worker_shut_down_kindly_gives_its_run_back(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(epochs=100, seconds=0.2)
    run = start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: starts(run), about=worker.log)
        os.kill(starts(run)[0], 15)  # as an init system does to every process of the service
        wait_for(lambda: TrainingRun.objects.get().status != RunStatus.TRAINING, about=worker.log)
        wait_for(lambda: len(starts(run)) == 2, about=worker.log)
        cancel_run(run)
        wait_for(lambda: has_ended(run), about=worker.log)

    assert run.status == RunStatus.CANCELLED


def test_a_run_is_cancelled_while_it_trains(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(epochs=1000, seconds=0.2)
    run = start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: TrainingRun.objects.get().progress.get("step", 0) >= 2, about=worker.log)
        (trainer,) = starts(run)
        cancel_run(run)
        wait_for(lambda: has_ended(run), seconds=10, about=worker.log)
        assert not is_alive(trainer)

    assert (run.status, run.lease_owner) == (RunStatus.CANCELLED, None)
    assert ModelVersion.objects.count() == 0
    assert not is_live(agent)


def test_a_corrupt_artifact_is_refused_and_the_old_scores_stay(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
        before = sorted(live_scores(agent).values_list("pk", "score"))
        weights = artifact_folder(ModelVersion.objects.get()) / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])
        scoring = start_scoring(agent)
        wait_for(lambda: has_ended(scoring), about=worker.log)

    assert scoring.status == RunStatus.FAILED
    assert "weights.safetensors differs from its recorded SHA-256" in scoring.error
    agent.refresh_from_db()
    assert agent.live_scoring_id != scoring.pk
    assert sorted(live_scores(agent).values_list("pk", "score")) == before
    assert len(before) == 6


def test_a_scoring_with_a_failed_shard_publishes_nothing(
    agent: Agent, stub: Stub, tmp_path: Path, settings: object
) -> None:
    start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
    before = sorted(live_scores(agent).values_list("pk", "score"))
    stub(fail_shard=0, scores=0.9)
    scoring = start_scoring(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: has_ended(scoring), about=worker.log)

    assert scoring.status == RunStatus.FAILED
    agent.refresh_from_db()
    assert sorted(live_scores(agent).values_list("pk", "score")) == before
    assert {score for _, score in before} == {0.5}


def train_command(**environment: str) -> "subprocess.Popen[str]":
    """Start a run from a process of its own, as a person at a shell does."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "agent", "train", "recommender"],
        cwd=REPOSITORY,
        env={**os.environ, **surroundings(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_simultaneous_starts_give_one_run(agent: Agent) -> None:
    commands = [train_command() for _ in range(3)]
    answers = [command.communicate(timeout=60)[0] for command in commands]

    assert sorted(command.returncode for command in commands) == [0, 1, 1]
    assert sum("recommender already has an active run" in answer for answer in answers) == 2
    assert TrainingRun.objects.count() == 1


def test_a_run_started_while_the_queue_is_down_is_done_later(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    started = time.monotonic()
    command = train_command(CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    answer = command.communicate(timeout=60)[0]

    assert command.returncode == 0
    assert "is queued. The queue cannot be reached. The work is stored and starts once it can." in answer
    assert time.monotonic() - started < 30
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
    assert TrainingRun.objects.get().status == RunStatus.SUCCEEDED


def test_a_run_whose_message_was_lost_is_found_by_the_sweeper(
    agent: Agent, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_agents.services.waking.send", lambda rows: False)
    run = start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)

    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_many_shards_are_shared_by_the_workers_processes_and_each_is_scored_once(
    agent: Agent, stub: Stub, tmp_path: Path, settings: Any
) -> None:
    start_run(agent)
    with WorkerProcess(tmp_path) as worker:  # two processes
        wait_for(lambda: is_live(agent), seconds=120, about=worker.log)
        settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SHARD_EVENTS": 2}
        snapshot = build_snapshot(agent.tenant, full=True)
        scoring = start_scoring(agent)
        wait_for(lambda: has_ended(scoring), seconds=180, about=worker.log)

    shards = list(scoring.shards.all())
    assert len(shards) == snapshot.shards == 16
    assert (scoring.status, scoring.rows) == (RunStatus.SUCCEEDED, 6)
    assert all((shard.status, shard.attempts) == (RunStatus.SUCCEEDED, 1) for shard in shards)
    begun = sorted(shard.started_at for shard in shards if shard.started_at)
    ended = sorted(shard.finished_at for shard in shards if shard.finished_at)
    at_once = [number - sum(end <= start for end in ended) for number, start in enumerate(begun, 1)]
    assert max(at_once) == 2
    agent.refresh_from_db()
    assert agent.live_scoring == scoring
    assert sorted(live_scores(agent).values_list("customer_id", flat=True)) == [f"C{n}" for n in range(1, 7)]
