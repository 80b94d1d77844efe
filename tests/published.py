"""A published set of scores, made without training: what tests of readers start from."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from crm_agents.models import Agent, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.models.agent import Verdict
from crm_agents.recipes import get_recipe
from crm_data.models import Snapshot

AS_OF = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)

# A comparison of the gate as a version keeps it.
TOO_LOW: dict[str, Any] = {
    "metric": "ndcg@10",
    "model": 0.1,
    "sign": ">=",
    "required": 0.303,
    "passed": False,
    "baseline": "personal_top",
    "baseline_value": 0.3,
}

Answer = tuple[float | None, dict[str, Any]]  # score and payload, as score files have them


def publish(name: str, answers: Mapping[str, Answer], *, as_of: datetime = AS_OF, tenant: str = "") -> Agent:
    """Publish `answers` (by customer id) as the live scores of the agent `name`, under its next version."""
    recipe = get_recipe(name)
    agent, _ = Agent.objects.get_or_create(name=name, tenant=tenant)
    version = _version(agent)
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=version,
        snapshot=version.snapshot,
        as_of=as_of,
        status=RunStatus.SUCCEEDED,
        rows=len(answers),
        published_at=timezone.now(),
    )
    recipe.score_model._default_manager.bulk_create(
        recipe.score_model(
            scoring=scoring,
            tenant=tenant,
            customer_id=customer_id,
            score=score,
            payload=payload,
            **recipe.score_fields(score, payload),
        )
        for customer_id, (score, payload) in answers.items()
    )
    agent.live_scoring, agent.live_version = scoring, version
    agent.save()
    return agent


def _version(agent: Agent) -> ModelVersion:
    snapshot = Snapshot.objects.create(
        tenant=agent.tenant,
        folder="snapshots/one",
        sha256="0" * 64,
        watermark=AS_OF,
        events=1,
        customers=1,
        products=1,
        shards=1,
    )
    run = TrainingRun.objects.create(agent=agent, status=RunStatus.SUCCEEDED, snapshot=snapshot)
    return ModelVersion.objects.create(
        agent=agent,
        number=agent.versions.count() + 1,
        run=run,
        artifact="artifacts/one",
        artifact_sha256="0" * 64,
        snapshot=snapshot,
        verdict=Verdict.PASSED,
    )


def publish_products(
    agent: Agent,
    audience: Mapping[str, Sequence[Sequence[Any]]],
    relations: Mapping[str, Mapping[str, Any]],
    *,
    shard: int = 0,
) -> None:
    """Put rows beside the agent's live scores: [customer, chance, times, days since] and facts by product."""
    from recommender.models import ProductAudience, ProductRelations

    scoring = agent.live_scoring
    assert scoring is not None
    for key, customers in audience.items():
        payload: dict[str, Any] = {"customers": [list(entry) for entry in customers]}
        ProductAudience.objects.create(scoring=scoring, shard=shard, key=key, payload=payload)
    for key, facts in relations.items():
        known = {
            "offered": True,
            "orders": 9,
            "customers": 5,
            "known_by": ["name"],
            "ranked_by": ["category"],
        }
        payload = {**known, "substitutes": [], "bundles": [], **facts}
        ProductRelations.objects.create(scoring=scoring, key=key, payload=payload)
