"""What the tests of watching share: an agent whose life has gone one step."""

import datetime as dt
from collections.abc import Callable

from crm_agents.models import Agent, ModelVersion, ScoringRun
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import start_run
from crm_agents.services.shards import score_shard
from crm_data.models import Customer, Interaction, Product
from tests.shop import LAST_DAY

Stub = Callable[..., None]


def score(scoring: ScoringRun) -> ScoringRun:
    """Do all shards of a scoring, as workers would."""
    for shard in scoring.shards.all():
        score_shard(shard.pk)
    scoring.refresh_from_db()
    return scoring


def go_live(agent: Agent) -> ModelVersion:
    """Train a version, publish its scores and return it."""
    run = start_run(agent)
    execute_run(run.pk)
    score(ScoringRun.objects.get(version__run=run))
    agent.refresh_from_db()
    return ModelVersion.objects.get(run=run)


def sell(days: int) -> None:
    """Store one more purchase, so many days after the shop's last one."""
    at = LAST_DAY + dt.timedelta(days=days)
    Interaction.objects.create(
        customer=Customer.objects.get(code="C1"),
        product=Product.objects.get(code="P1"),
        kind="purchase",
        at=at,
        quantity=1,
        amount=5,
        basket=f"late-{days}",
    )
