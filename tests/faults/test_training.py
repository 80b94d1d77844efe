"""The real trainer, killed with its worker and resumed: nothing of the result may differ."""

from pathlib import Path

import pytest

from crm_agents.folders import artifact_folder, run_folder
from crm_agents.models import Agent, ModelVersion, RunStatus
from crm_agents.selectors import live_scores
from crm_agents.services.agents import get_agent
from crm_agents.services.publishing import promote_version
from crm_agents.services.runs import start_run
from crm_data.models import Customer
from crm_demo.services.filling import fill
from crm_demo.simulator import ShopSpec
from handoff.files import sha256_of
from tests.worker import WorkerProcess, empty_queues, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

# Epochs enough for the worker to be killed between two of them, however briefly each may last.
QUICK = {"epochs": 24, "patience": 24, "width": 16, "layers": 1, "max_visits": 16}


@pytest.fixture
def churn(transactional_db: None, tmp_path: Path) -> Agent:
    empty_queues()
    fill(ShopSpec(customers=200, seed=5), owners=[], truth_folder=tmp_path / "truth")
    return get_agent("churn")


def weights(version: ModelVersion) -> str:
    return sha256_of(artifact_folder(version) / "weights.safetensors")


def test_a_killed_fine_tuning_ends_in_the_very_same_model(churn: Agent, tmp_path: Path) -> None:
    killed = start_run(churn, config=QUICK, publish=False)
    checkpoints = run_folder(killed) / "checkpoints"
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: any(checkpoints.glob("0*")), seconds=120, about=worker.log)
        worker.kill()
    assert ModelVersion.objects.count() == 0

    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: ModelVersion.objects.exists(), seconds=120, about=worker.log)
        whole = start_run(churn, config=QUICK, publish=False)
        wait_for(lambda: ModelVersion.objects.count() == 2, seconds=120, about=worker.log)
        promote_version(ModelVersion.objects.get(run=killed), override_reason="A test of the path.")
        wait_for(lambda: Agent.objects.get(pk=churn.pk).live_scoring_id, seconds=60, about=worker.log)

    killed.refresh_from_db()
    whole.refresh_from_db()
    assert (killed.status, killed.attempts) == (RunStatus.SUCCEEDED, 2)
    assert (whole.status, whole.attempts) == (RunStatus.SUCCEEDED, 1)
    assert weights(killed.version) == weights(whole.version)
    assert killed.version.evaluation["metrics"] == whole.version.evaluation["metrics"]
    churn.refresh_from_db()
    assert churn.live_version == killed.version
    assert live_scores(churn).count() == Customer.objects.count() == 200
