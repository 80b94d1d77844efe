"""The rows of an agent's life that speak of one customer."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from crm_agents.models import Agent, Feedback, Kept, LabelItem, ScoreRow, ScoringRun
from crm_agents.recipes import get_recipe, recipes
from crm_data.models import Erasure, OptOut
from crm_data.suppression import Suppressed

BATCH = 2_000


def of_tenant(tenant: str) -> list[Agent]:
    """Return the tenant's agents whose recipes are installed."""
    return list(Agent.objects.filter(tenant=tenant, name__in=[recipe.name for recipe in recipes()]))


def scores_of(tenant: str, customer_id: str) -> Iterator[tuple[Agent, QuerySet[ScoreRow]]]:
    """Yield each agent's scores of the customer: live, shadow, kept and unfinished ones."""
    for agent in of_tenant(tenant):
        stored = ScoringRun.objects.filter(agent=agent).exclude(scores=Kept.GONE)
        # Named one by one, each is a look into the index of scoring and customer.
        scorings = list(stored.values_list("pk", flat=True))
        rows = get_recipe(agent.name).score_model._default_manager.filter(scoring__in=scorings)
        yield agent, rows.filter(customer_id=customer_id)


def feedback_on(tenant: str, customer_id: str) -> QuerySet[Feedback]:
    return Feedback.objects.filter(tenant=tenant, customer_id=customer_id)


def items_about(tenant: str, customer_id: str) -> QuerySet[LabelItem]:
    return LabelItem.objects.filter(label_set__agent__tenant=tenant, customer_id=customer_id)


def delete_scores(tenant: str, customer_id: str) -> int:
    """Delete the customer's scores of every agent; return how many rows."""
    return sum(rows.delete()[0] for _agent, rows in scores_of(tenant, customer_id))


def drop_left_out(scoring: ScoringRun) -> int:
    """Delete the rows of those who opted out or were erased while they were being scored; return how many.

    The caller publishes in the same transaction: whoever is erased later is deleted by the erasure itself.
    """
    tenant = scoring.agent.tenant
    mine = get_recipe(scoring.agent.name).score_model._default_manager.filter(scoring=scoring)
    gone = set(OptOut.objects.filter(tenant=tenant).values_list("customer_id", flat=True))
    if Erasure.objects.filter(tenant=tenant, at__gte=scoring.created_at).exists():
        ids = mine.values_list("customer_id", flat=True).iterator(chunk_size=BATCH)
        gone |= Suppressed(tenant).erased_among(ids)
    return _delete(mine, sorted(gone))


def _delete(rows: QuerySet[Any], customers: list[str]) -> int:
    return sum(
        rows.filter(customer_id__in=customers[start : start + BATCH]).delete()[0]
        for start in range(0, len(customers), BATCH)
    )
