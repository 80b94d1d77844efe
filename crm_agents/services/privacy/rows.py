"""The rows of an agent's life that speak of one customer."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import QuerySet

from crm_agents.models import Agent, Feedback, Kept, LabelItem, ScoreRow, ScoringRun
from crm_agents.models.fresh import FreshScore, News
from crm_agents.recipes import get_recipe, recipes
from crm_agents.services.side_tables import customers_in, entries_about, take_out
from crm_data.models import Erasure, OptOut
from crm_data.suppression import Suppressed

BATCH = 2_000


def of_tenant(tenant: str) -> list[Agent]:
    """Return the tenant's agents whose recipes are installed."""
    return list(Agent.objects.filter(tenant=tenant, name__in=[recipe.name for recipe in recipes()]))


def scores_of(tenant: str, customer_id: str) -> Iterator[tuple[Agent, QuerySet[ScoreRow]]]:
    """Yield each agent's scores of the customer: live, shadow, kept and unfinished ones."""
    for agent in of_tenant(tenant):
        # Named one by one, each is a look into the index of scoring and customer.
        scorings = list(stored_scorings(agent).values_list("pk", flat=True))
        rows = get_recipe(agent.name).score_model._default_manager.filter(scoring__in=scorings)
        yield agent, rows.filter(customer_id=customer_id)


def stored_scorings(agent: Agent) -> QuerySet[ScoringRun]:
    """Return the scorings whose rows are still there: live, shadow, kept and unfinished ones."""
    return ScoringRun.objects.filter(agent=agent).exclude(scores=Kept.GONE).select_related("agent", "version")


def sides_of(tenant: str, customer_id: str) -> Iterator[tuple[ScoringRun, dict[str, Any]]]:
    """Yield what the tables beside the scores say of the customer: "table", "key" and "values"."""
    for agent in of_tenant(tenant):
        for scoring in stored_scorings(agent):
            for entry in entries_about(scoring, customer_id):
                yield scoring, entry


def take_out_of_sides(agent: Agent, customers: Collection[str]) -> Counter[str]:
    """Take customers out of every table beside the agent's scores; return the changed rows by table."""
    changed: Counter[str] = Counter()
    if get_recipe(agent.name).side_tables:
        for scoring in stored_scorings(agent):
            changed.update(take_out(scoring, customers))
    return changed


def feedback_on(tenant: str, customer_id: str) -> QuerySet[Feedback]:
    return Feedback.objects.filter(tenant=tenant, customer_id=customer_id)


def items_about(tenant: str, customer_id: str) -> QuerySet[LabelItem]:
    return LabelItem.objects.filter(label_set__agent__tenant=tenant, customer_id=customer_id)


def refreshed_of(tenant: str, customer_id: str) -> QuerySet[FreshScore]:
    return FreshScore.objects.filter(tenant=tenant, customer_id=customer_id)


def delete_refreshed(tenant: str, customer_id: str) -> dict[int, int]:
    """Delete the customer's refreshed scores, and what is noted to refresh them; return the rows by agent."""
    News.objects.filter(tenant=tenant, customer_id=customer_id).delete()
    agents = refreshed_of(tenant, customer_id).values_list("agent", flat=True).distinct()
    return {agent: refreshed_of(tenant, customer_id).filter(agent=agent).delete()[0] for agent in agents}


def delete_scores(tenant: str, customer_id: str) -> int:
    """Delete the customer's scores of every agent; return how many rows."""
    deleted = sum(delete_refreshed(tenant, customer_id).values())
    for agent, rows in scores_of(tenant, customer_id):
        deleted += rows.delete()[0]
        take_out_of_sides(agent, [customer_id])
    return deleted


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
    _drop_from_sides(scoring)
    return _delete(mine, sorted(gone))


def _drop_from_sides(scoring: ScoringRun) -> None:
    """The same beside the scores, of those who left since the scoring began: no others were written."""
    tenant, begun = scoring.agent.tenant, scoring.created_at
    left = OptOut.objects.filter(tenant=tenant, at__gte=begun)
    gone = set(left.values_list("customer_id", flat=True))
    if Erasure.objects.filter(tenant=tenant, at__gte=begun).exists():
        gone |= Suppressed(tenant).erased_among(customers_in(scoring))
    take_out(scoring, gone)


def _delete(rows: QuerySet[Any], customers: list[str]) -> int:
    return sum(
        rows.filter(customer_id__in=customers[start : start + BATCH]).delete()[0]
        for start in range(0, len(customers), BATCH)
    )
