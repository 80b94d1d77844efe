"""Kill -9 of worker and trainer in each phase: what is left in the end is what an undisturbed run leaves."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.db import transaction
from django.utils import timezone

from crm_agents.folders import (
    agent_artifacts,
    artifact_folder,
    predictions_file,
    run_folder,
    score_file,
    score_folder,
    staging_folder,
)
from crm_agents.models import (
    Agent,
    AuditEntry,
    LabelSet,
    ModelVersion,
    Purpose,
    RunStatus,
    ScoringRun,
    ScoringShard,
    TrainingRun,
)
from crm_agents.selectors import live_scores
from crm_agents.services.labelling.jobs import request_filling
from crm_agents.services.labelling.sets import create_label_set
from crm_agents.services.privacy.erasing import erase, finish_erasures
from crm_agents.services.runs import start_run
from crm_agents.services.scoring import start_scoring
from crm_data.conf import root
from crm_data.models import Erasure, Snapshot
from handoff.files import sha256_of
from tests.faults.test_worker import Stub, children, has_ended, is_alive, is_live, starts
from tests.worker import WorkerProcess, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

CHOICES: list[dict[str, object]] = [
    {"value": "left", "text": "Has left"},
    {"value": "stayed", "text": "Stays"},
]


def kill(worker: WorkerProcess) -> None:
    """End the worker outright, and see that its pool and their trainers end with it."""
    with killing(worker):
        pass


@contextmanager
def killing(worker: WorkerProcess) -> Iterator[None]:
    """End the worker outright, and see after the block that its pool and their trainers end with it."""
    pool = children(worker.pid)
    trainers = [child for process in pool for child in children(process)]
    worker.kill()
    yield
    wait_for(lambda: not any(map(is_alive, [*pool, *trainers])), seconds=5)


def state(run: TrainingRun) -> dict[str, Any]:
    """Return what may not differ between a killed run and another one of the same data."""
    run.refresh_from_db()
    assert run.snapshot is not None
    facts: dict[str, Any] = {
        "row": (run.status, run.error, run.report, run.lease_owner, run.progress.get("phase")),
        "data": (run.snapshot.sha256, run.snapshot.customers, run.snapshot.erased),
        "files": sorted(path.name for path in run_folder(run).iterdir()),
        "steps": (run_folder(run) / "steps").read_text(),
    }
    for version in ModelVersion.objects.filter(run=run):
        facts["evaluation"] = (version.evaluation, version.verdict, version.verdict_reasons)
        artifact = artifact_folder(version)
        facts["artifact"] = {
            path.name: sha256_of(path)
            for path in artifact.iterdir()
            if path.name not in ("config.json", "manifest.json")  # these name the snapshot's folder
        }
        facts["predictions"] = sha256_of(predictions_file(version))
    return facts


def entries(action: str) -> int:
    return AuditEntry.objects.filter(action=action).count()


def rows(scoring: ScoringRun, agent: Agent) -> list[tuple[Any, ...]]:
    assert agent.live_scoring_id == scoring.pk
    return sorted(live_scores(agent).values_list("customer_id", "score"))


def test_while_it_prepares(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(predictions="x")
    hold = tmp_path / "hold"
    hold.touch()
    killed = start_run(agent, publish=False)
    source: dict[str, Any] = {"CRM_SOURCE": "tests.faults.slow_source.SlowSource", "TEST_HOLD": str(hold)}
    with WorkerProcess(tmp_path, **source) as worker:
        wait_for(lambda: list(root().glob("snapshots/.building-*/source.json")), about=worker.log)
        kill(worker)
    killed.refresh_from_db()
    assert (killed.status, killed.snapshot) == (RunStatus.PREPARING, None)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: has_ended(killed), about=worker.log)
        whole = start_run(agent, publish=False)
        wait_for(lambda: has_ended(whole), about=worker.log)
        wait_for(lambda: ModelVersion.objects.count() == 2, about=worker.log)

    assert (killed.attempts, whole.attempts) == (2, 1)
    assert state(killed) == state(whole)
    assert len(list((root() / "snapshots").iterdir())) == Snapshot.objects.count() == 2
    assert (entries("run.started"), entries("version.created")) == (2, 2)


def test_while_they_evaluate(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(evaluating=60, predictions="x")
    killed = [start_run(agent, publish=False), start_run(agent, purpose=Purpose.INSPECT)]
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: TrainingRun.objects.filter(status=RunStatus.EVALUATING).count() == 2)
        kill(worker)
    assert not any(map(is_alive, [pid for run in killed for pid in starts(run)]))
    stub(predictions="x")
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: all(map(has_ended, killed)), about=worker.log)
        whole = [start_run(agent, publish=False), start_run(agent, purpose=Purpose.INSPECT)]
        wait_for(lambda: all(map(has_ended, whole)), about=worker.log)

    assert [len(starts(run)) for run in [*killed, *whole]] == [2, 2, 1, 1]
    assert [run.attempts for run in [*killed, *whole]] == [2, 2, 1, 1]
    assert [state(run) for run in killed] == [state(run) for run in whole]
    assert killed[1].report == {"findings": []}
    assert (ModelVersion.objects.count(), entries("version.created")) == (2, 2)


def test_while_its_version_and_its_scores_are_published(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    stub(seconds=0.7, weight_bytes=400_000_000, predictions="x")
    killed = start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(staging_folder(killed).exists, about=worker.log)
        kill(worker)
    assert (ModelVersion.objects.count(), staging_folder(killed).exists()) == (0, True)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), seconds=60, about=worker.log)
        before = rows(ScoringRun.objects.get(), agent)
        again = start_scoring(agent)
        shard = ScoringShard.objects.get(scoring=again)
        wait_for(lambda: ScoringShard.objects.get(pk=shard.pk).status == RunStatus.SCORING)
        with transaction.atomic():  # the worker has the scores and cannot write them
            ScoringShard.objects.select_for_update().get(pk=shard.pk)
            wait_for(score_file(shard).exists, about=worker.log)
            kill(worker)
    again.refresh_from_db()
    assert (again.status, again.rows, again.published_at) == (RunStatus.SCORING, 0, None)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: has_ended(again), about=worker.log)
        wait_for(lambda: not score_folder(again.pk).exists(), about=worker.log)

    agent.refresh_from_db()
    assert rows(again, agent) == before
    assert [customer for customer, _score in before] == [f"C{number}" for number in range(1, 7)]
    assert (again.rows, ScoringShard.objects.get(pk=shard.pk).attempts) == (6, 2)
    killed.refresh_from_db()
    assert (killed.status, killed.attempts, len(starts(killed))) == (RunStatus.SUCCEEDED, 2, 1)
    assert ModelVersion.objects.get().number == 1
    assert [path.name for path in agent_artifacts(agent).iterdir()] == ["1"]
    assert [entries(what) for what in ("version.created", "scores.published")] == [1, 2]


def test_while_a_label_queue_is_filled(agent: Agent, tmp_path: Path) -> None:
    label_set = create_label_set(agent, name="Left", subject="customer", question="Left?", choices=CHOICES)
    with WorkerProcess(tmp_path) as worker:
        request_filling(label_set, size=4)
        with ExitStack() as killed, transaction.atomic():  # the worker may choose items, and not write them
            LabelSet.objects.select_for_update().get(pk=label_set.pk)
            wait_for(lambda: "fill_label_set" in worker.log.read_text().partition(" ready.")[2])
            killed.enter_context(killing(worker))  # its clock may wait for the database until the block ends
    label_set.refresh_from_db()
    assert (label_set.items.count(), label_set.filling["state"]) == (0, "queued")
    long_ago = timezone.now() - dt.timedelta(minutes=11)
    LabelSet.objects.update(filling={**label_set.filling, "at": long_ago.isoformat()})
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: LabelSet.objects.get().filling["state"] == "done", about=worker.log)
    facts = LabelSet.objects.get().filling
    assert (label_set.items.count(), facts["added"], facts["size"]) == (4, 4, 4)


def test_an_erasure_waits_for_a_run_and_is_done_though_the_worker_was_killed(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    stub(seconds=0.7, epochs=5)
    run = start_run(agent)
    with WorkerProcess(tmp_path, CRM_WATCH_SECONDS="1") as worker:
        wait_for(lambda: TrainingRun.objects.get().progress.get("step", 0) >= 2, about=worker.log)
        report = erase("", "C1", with_record=True)
        kill(worker)
    snapshot = Snapshot.objects.get()
    assert report.waiting == [f"TrainingRun {run.pk}", snapshot.folder]
    assert finish_erasures() == 0
    assert "C1" in pl.read_parquet(root() / snapshot.folder / "customers.parquet")["customer"]
    with WorkerProcess(tmp_path, CRM_WATCH_SECONDS="1") as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
        wait_for(lambda: not Erasure.objects.get().pending, about=worker.log)

    run.refresh_from_db()
    snapshot.refresh_from_db()
    assert (run.status, (run_folder(run) / "steps").read_text()) == (RunStatus.SUCCEEDED, "1 2 3 4 5 ")
    assert (snapshot.erased, snapshot.customers, snapshot.events) == (1, 5, 20)
    assert sorted(live_scores(agent).values_list("customer_id", flat=True)) == [
        f"C{number}" for number in range(2, 7)
    ]
    files = list(root().rglob("*.parquet"))
    assert len(files) > 3
    for path in files:
        frame = pl.read_parquet(path)
        assert "C1" not in frame.get_column("customer", default=pl.Series(["" for _ in range(len(frame))]))
    assert [path.name for path in (root() / "snapshots").iterdir()] == [Path(snapshot.folder).name]
