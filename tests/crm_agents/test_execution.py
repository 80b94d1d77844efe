from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.folders import artifact_folder, artifact_root, run_folder
from crm_agents.models import Agent, AuditEntry, ModelVersion, Purpose, RunStatus, ScoringRun, TrainingRun
from crm_agents.services import execution, versions
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import cancel_run, start_run
from crm_agents.services.sweeping import sweep
from crm_data.models import Snapshot
from crm_data.selectors import snapshot_folder
from crm_data.services.snapshots import SnapshotError, build_snapshot
from handoff.artifact import check_artifact

pytestmark = pytest.mark.django_db(transaction=True)

Stub = Callable[..., None]


class Killed(BaseException):
    """Stands for `kill -9` at one point of the code."""


@pytest.fixture
def run(agent: Agent, shop: None, woken: list[str], stub: Stub) -> TrainingRun:
    return start_run(agent, config={"epochs": 2})


def test_a_run_becomes_a_gated_version_whose_scoring_is_due(run: TrainingRun, woken: list[str]) -> None:
    execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.attempts, run.error, run.lease_owner) == (RunStatus.SUCCEEDED, 1, "", None)
    assert run.log_tail == "training recommender\n"
    version = ModelVersion.objects.get()
    assert (version.number, version.run, version.snapshot, version.verdict) == (
        1,
        run,
        run.snapshot,
        "passed",
    )
    assert version.artifact == "recommender/1"
    assert version.evaluation["metrics"]["model"]["ndcg@10"] == pytest.approx(0.45)
    check_artifact(artifact_folder(version), root=artifact_root(), sha256=version.artifact_sha256)
    scoring = ScoringRun.objects.get()
    assert (scoring.status, scoring.version, scoring.snapshot) == ("queued", version, run.snapshot)
    assert woken == [str(run.pk), str(scoring.shards.get().pk)]
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
        "run.started",
        "version.created",
        "scoring.started",
    ]


def test_what_only_training_needs_is_removed(run: TrainingRun) -> None:
    execute_run(run.pk)

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
    assert [path.name for path in (artifact_root() / "recommender").iterdir()] == ["1"]


def test_a_version_that_fails_its_gate_is_kept_and_not_scored(run: TrainingRun, stub: Stub) -> None:
    stub(model=0.1)
    execute_run(run.pk)

    version = ModelVersion.objects.get()
    assert version.verdict == "failed"
    assert version.verdict_reasons[0] == {
        "metric": "ndcg@10",
        "model": 0.1,
        "sign": ">=",
        "required": 0.303,
        "passed": False,
        "baseline": "personal_top",
        "baseline_value": 0.3,
    }
    assert TrainingRun.objects.get().status == RunStatus.SUCCEEDED
    assert ScoringRun.objects.count() == 0


def test_a_run_that_is_not_to_be_published_is_not_scored(run: TrainingRun) -> None:
    TrainingRun.objects.update(publish=False)
    execute_run(run.pk)

    assert ModelVersion.objects.get().verdict == "passed"
    assert ScoringRun.objects.count() == 0


def test_not_enough_data_is_an_answer_with_what_is_missing(run: TrainingRun, stub: Stub) -> None:
    stub(outcome="not_enough_data")
    execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.missing, run.error) == (RunStatus.NOT_ENOUGH_DATA, [{"code": "no_events"}], "")
    assert ModelVersion.objects.count() == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"outcome": "failed"}, "The stub failed."),
        ({"exit": 3}, "The trainer ended with exit status 3: the stub was told to fail"),
        ({"kill": True}, "The trainer was killed by signal 9 (most often out of memory)."),
    ],
)
def test_a_failed_trainer_leaves_words_and_no_version(
    run: TrainingRun, stub: Stub, options: dict[str, Any], error: str
) -> None:
    stub(**options)
    execute_run(run.pk)

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error.startswith(error)
    assert run.log_tail.startswith("training recommender\n")
    assert ModelVersion.objects.count() == 0
    assert not artifact_root().exists()


def test_a_snapshot_that_cannot_be_built_fails_the_run(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Snapshot:
        raise SnapshotError("The disk is full.")

    monkeypatch.setattr(execution, "build_snapshot", fail)
    execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error, run.snapshot) == (RunStatus.FAILED, "The disk is full.", None)


def test_an_unforeseen_error_fails_the_run_and_is_raised(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Snapshot:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(execution, "build_snapshot", fail)
    with pytest.raises(ZeroDivisionError):
        execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.FAILED, "ZeroDivisionError: by zero")


def test_a_cancelled_run_leaves_no_version(
    run: TrainingRun, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(seconds=60)

    def build_and_cancel(*args: Any, **kwargs: Any) -> Snapshot:
        snapshot = build_snapshot(*args, **kwargs)
        cancel_run(run)
        return snapshot

    monkeypatch.setattr(execution, "build_snapshot", build_and_cancel)
    execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.lease_owner) == (RunStatus.CANCELLED, None)
    assert ModelVersion.objects.count() == 0
    assert not (run_folder(run) / "outcome.json").exists()
    assert not (run_folder(run) / "checkpoints").exists()


def test_a_run_that_another_worker_has_is_left_alone(run: TrainingRun) -> None:
    TrainingRun.objects.update(status=RunStatus.TRAINING)
    execute_run(run.pk)

    assert not run_folder(run).exists()
    assert TrainingRun.objects.get().attempts == 0


def test_a_worker_that_lost_its_run_makes_no_version(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = versions._stage

    def lose_and_stage(*args: Any) -> Path:
        TrainingRun.objects.update(lease_owner=None)
        return stage(*args)

    monkeypatch.setattr(versions, "_stage", lose_and_stage)
    execute_run(run.pk)

    assert ModelVersion.objects.count() == 0
    assert not (artifact_root() / "recommender" / "1").exists()
    assert TrainingRun.objects.get().error == ""


def killed_at(monkeypatch: pytest.MonkeyPatch, place: str, *, after: bool) -> None:
    """Have the process "die" before or after one step: nothing behind that point is run."""
    module, name = (
        {"execution": execution, "versions": versions}[place.partition(".")[0]],
        place.partition(".")[2],
    )
    step = getattr(module, name)

    def dying(*args: Any, **kwargs: Any) -> None:
        if after:
            step(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(module, name, dying)
    monkeypatch.setattr("crm_agents.services.leases.Lease.release", lambda _lease: None)  # it is dead


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        "execution.build_snapshot",
        "execution.run_child",
        "execution.keep_version",
        "versions._stage",
        "versions.publish_folder",
        "versions._create",
        "versions.start_scoring",
    ],
)
def test_a_kill_between_any_two_steps_ends_in_one_version(
    run: TrainingRun, woken: list[str], place: str, *, after: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, place, after=after)
        with pytest.raises(Killed):
            execute_run(run.pk)
    TrainingRun.objects.filter(finished_at=None).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    execute_run(run.pk)

    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    version = ModelVersion.objects.get()
    assert version.number == 1
    check_artifact(artifact_folder(version), root=artifact_root(), sha256=version.artifact_sha256)
    assert [path.name for path in (artifact_root() / "recommender").iterdir()] == ["1"]
    assert (run_folder(run) / "steps").read_text() == "1 2 3 "  # no step was done twice
    assert ScoringRun.objects.get().version == version
    assert AuditEntry.objects.filter(action="version.created").count() == 1


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        (None, "manifest.json does not exist. "),
        ("[]", "manifest.json holds list, not a JSON object. "),
        ('{"last_event": "soon"}', "manifest.json: last_event is 'soon', which is no time in ISO form. "),
    ],
)
def test_a_version_is_kept_whose_scoring_cannot_start(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, manifest: str | None, error: str
) -> None:
    def damage_and_keep(run: TrainingRun, *args: Any, **kwargs: Any) -> ModelVersion:
        assert run.snapshot is not None
        path = snapshot_folder(run.snapshot) / "manifest.json"
        path.unlink() if manifest is None else path.write_text(manifest)
        return versions.keep_version(run, *args, **kwargs)

    monkeypatch.setattr(execution, "keep_version", damage_and_keep)
    execute_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, "")
    scoring = ScoringRun.objects.get()
    assert (scoring.status, scoring.shards.count()) == (RunStatus.FAILED, 0)
    assert (scoring.version, scoring.finished_at is not None) == (ModelVersion.objects.get(), True)
    remedy = "Build the snapshot anew (build_snapshot --full), then promote recommender v1."
    assert error + remedy in scoring.error
    assert AuditEntry.objects.filter(action="scoring.failed").count() == 1


def test_the_next_run_is_the_next_version(run: TrainingRun, agent: Agent) -> None:
    execute_run(run.pk)
    second = start_run(agent)
    execute_run(second.pk)

    assert sorted(ModelVersion.objects.values_list("number", "artifact")) == [
        (1, "recommender/1"),
        (2, "recommender/2"),
    ]
    statuses = [scoring.status for scoring in ScoringRun.objects.order_by("created_at")]
    assert statuses == [RunStatus.CANCELLED, RunStatus.QUEUED]  # the newer version's scoring takes over


def test_a_full_disk_is_named(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device", "artifact")

    monkeypatch.setattr(versions, "_stage", full)
    execute_run(run.pk)

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error == (
        "The disk is full ([Errno 28] No space left on device: 'artifact'). Free some space and start again."
    )


@pytest.mark.parametrize(
    ("purpose", "found"),
    [
        (Purpose.RANGE_TEST, {"suggested": 0.001}),
        (Purpose.INSPECT, {"findings": []}),
    ],
)
def test_a_run_of_another_purpose_keeps_its_report_and_makes_no_version(
    agent: Agent, shop: None, woken: list[str], stub: Stub, purpose: Purpose, found: dict[str, Any]
) -> None:
    training = start_run(agent)
    other = start_run(agent, purpose=purpose)
    execute_run(other.pk)

    other.refresh_from_db()
    assert (other.status, other.publish) == (RunStatus.SUCCEEDED, False)
    assert {name: other.report[name] for name in found} == found
    assert (ModelVersion.objects.count(), ScoringRun.objects.count()) == (0, 0)
    training.refresh_from_db()
    assert training.status == RunStatus.QUEUED
