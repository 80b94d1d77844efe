"""What a version said of each customer is kept beside its artifact, where customers can be erased from it."""

from collections.abc import Callable
from typing import Any

import pytest

from crm_agents.folders import artifact_folder, predictions_file, records_folder, run_folder
from crm_agents.models import Agent, ModelVersion, RunStatus, TrainingRun
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import start_run
from crm_data.conf import root
from handoff.errors import HandoffError

pytestmark = pytest.mark.django_db(transaction=True)

Stub = Callable[..., None]


@pytest.fixture
def run(agent: Agent, shop: None, woken: list[str], stub: Stub) -> TrainingRun:
    stub(predictions="what was said")
    return start_run(agent)


def test_predictions_move_from_the_run_to_the_version(run: TrainingRun) -> None:
    execute_run(run.pk)

    version = ModelVersion.objects.get()
    assert predictions_file(version) == root() / "records" / "recommender" / "1" / "predictions.parquet"
    assert predictions_file(version).read_text() == "what was said"
    assert not (run_folder(run) / "predictions.parquet").exists()
    assert not (artifact_folder(version) / "predictions.parquet").exists()


def test_a_trainer_without_predictions_makes_a_version_all_the_same(run: TrainingRun, stub: Stub) -> None:
    stub()
    execute_run(run.pk)

    assert not records_folder(ModelVersion.objects.get()).exists()


def test_a_crash_before_the_commit_leaves_nothing_for_the_next_version(
    run: TrainingRun, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_values: Any) -> None:
        raise HandoffError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.versions.audit.record", fail)
        execute_run(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert not ModelVersion.objects.exists()

    stub()  # the next run's trainer leaves no predictions
    execute_run(start_run(run.agent).pk)

    assert ModelVersion.objects.get().number == 1
    assert not records_folder(ModelVersion.objects.get()).exists()
