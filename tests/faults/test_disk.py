"""A disk that takes no more: the run says so, nothing half is left, and the next one is as any other."""

import errno
from pathlib import Path
from typing import Any

import pytest

from crm_agents.folders import agent_artifacts, run_folder, staging_folder
from crm_agents.models import Agent, AuditEntry, ModelVersion, Purpose, RunStatus, TrainingRun
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import start_run
from crm_agents.services.tidying import tidy
from crm_data.conf import root
from tests.faults.test_worker import Stub

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_agents.services.waking._reached", lambda publish: True)


def done(run: TrainingRun) -> TrainingRun:
    execute_run(run.pk)
    run.refresh_from_db()
    return run


def test_a_report_that_cannot_be_written_fails_its_run(agent: Agent) -> None:
    run = start_run(agent, purpose=Purpose.INSPECT)
    (run_folder(run) / "report.json").mkdir(parents=True)  # where a file is to be, even root cannot write
    assert done(run).status == RunStatus.FAILED
    assert "Is a directory" in run.error
    assert "report.json" in run.error
    assert (run.report, run.lease_owner) == ({}, None)
    assert not list(run_folder(run).glob(".report*"))
    assert done(start_run(agent, purpose=Purpose.INSPECT)).status == RunStatus.SUCCEEDED


def test_predictions_that_cannot_be_kept_leave_no_version(agent: Agent, stub: Stub) -> None:
    stub(predictions="x")
    in_the_way = root() / "records"
    in_the_way.write_text("")
    run = done(start_run(agent))
    assert run.status == RunStatus.FAILED
    assert "records" in run.error
    assert ModelVersion.objects.count() == 0
    assert not AuditEntry.objects.filter(action="version.created").exists()
    assert not staging_folder(run).exists()
    in_the_way.unlink()
    assert done(start_run(agent)).status == RunStatus.SUCCEEDED
    assert ModelVersion.objects.get().number == 1
    assert (root() / "records" / "recommender" / "1" / "predictions.parquet").read_text() == "x"


def test_a_full_disk_keeps_no_half_artifact(
    agent: Agent, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "weights.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.versions.shutil.copytree", full)
        run = done(start_run(agent))
    assert run.error.startswith("The disk is full ([Errno 28] No space left on device).")
    assert not list(agent_artifacts(agent).iterdir())


def test_what_a_worker_left_that_died_after_the_end_of_its_run_is_cleared_up(
    agent: Agent, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(predictions="x")
    runs: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.execution.tidy_run_folder", lambda run: runs.append(run))
        run = done(start_run(agent))
    staging_folder(run).mkdir()
    (run_folder(run) / ".predictions.parquet.4711").write_text("half")
    active = TrainingRun.objects.create(agent=agent, purpose=Purpose.INSPECT, status=RunStatus.TRAINING)
    (run_folder(active) / "checkpoints").mkdir(parents=True)
    assert {"artifact", "checkpoints", "predictions.parquet"} <= {
        path.name for path in run_folder(run).iterdir()
    }
    tidy()
    assert sorted(path.name for path in run_folder(run).iterdir()) == [
        ".lock",
        "config.json",
        "evaluation.json",
        "outcome.json",
        "progress.jsonl",
        "starts",
        "steps",
        "trainer.log",
    ]
    assert [path.name for path in agent_artifacts(agent).iterdir()] == ["1"]
    assert (run_folder(active) / "checkpoints").exists()
