"""An agent with a run, a version and a live scoring, as the pages meet them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crm_agents import recipes
from crm_agents.models import Agent, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.recipes import Gate, Recipe
from crm_data.models import Snapshot
from tests.crm_agents_admin.support import AT, make_version, signed_in, staff


class Spare(Recipe):
    """A recipe of the tests, so that they need no agent app."""

    name = "spare"
    title = "Spare agent"
    description = "Warns of customers about to leave."
    gate = Gate("roc_auc", ("recency_rule",), margin=0.02, also={"ece": ("<=", 0.15)})

    def defaults(self) -> dict[str, Any]:
        return {"task": "churn", "horizon_days": 90, "epochs": 6, "backbone": "rnn"}


@pytest.fixture(autouse=True)
def recipe() -> Iterator[Recipe]:
    spare = Spare()
    recipes.register(spare)
    yield spare
    recipes._recipes.pop("spare", None)


@pytest.fixture
def agent(db: None) -> Agent:
    return Agent.objects.create(name="spare")


@pytest.fixture
def snapshot(db: None) -> Snapshot:
    return Snapshot.objects.create(
        folder="snapshots/one",
        sha256="a1" * 32,
        watermark=AT,
        events=779_425,
        customers=5_878,
        products=4_619,
        shards=2,
    )


@pytest.fixture
def run(agent: Agent, snapshot: Snapshot) -> TrainingRun:
    """A run at work: the third step of ten."""
    return TrainingRun.objects.create(
        agent=agent,
        snapshot=snapshot,
        status=RunStatus.TRAINING,
        created_at=AT,
        started_at=AT,
        attempts=1,
        config={"epochs": 3},
        progress={
            "phase": "training",
            "step": 3,
            "of": 10,
            "loss": 0.6123,
            "eta_seconds": 125.0,
            "metrics": {"roc_auc": 0.78},
            "at": 1.0,
        },
        log_tail="epoch 1 done",
    )


@pytest.fixture
def version(agent: Agent, snapshot: Snapshot) -> ModelVersion:
    """A version that passed the gate; nothing is live yet."""
    return make_version(agent, snapshot, number=1)


@pytest.fixture
def live(agent: Agent, version: ModelVersion, snapshot: Snapshot) -> ScoringRun:
    """The version's published scoring."""
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=version,
        snapshot=snapshot,
        as_of=AT,
        rows=4_311,
        status=RunStatus.SUCCEEDED,
        published_at=AT,
    )
    agent.live_version, agent.live_scoring = version, scoring
    agent.save()
    return scoring


@pytest.fixture
def boss(db: None) -> Client:
    """Signed in as a user with every permission of the agents."""
    return signed_in(staff("boss", "view_scores", "manage_runs", "promote_version"))


@pytest.fixture
def viewer(db: None) -> Client:
    """Signed in as a user who may look, and nothing else."""
    return signed_in(staff("viewer", "view_scores"))


@pytest.fixture
def stranger(db: None) -> Client:
    """Signed in as staff without any permission of the agents."""
    return signed_in(staff("stranger"))
