"""How long scores are kept, and how a customer's are erased."""

from django.db import transaction

from crm_agents.models import ACTIVE_STATES, Agent, Feedback, ScoreRow, ScoringRun, ScoringShard
from crm_agents.recipes import get_recipe, recipes
from crm_agents.services.leases import WORKING_STATES
from crm_data.conf import setting

BATCH = 2_000


def delete_old_scores(agent: Agent) -> int:
    """Delete the score sets that readers cannot reach any more, in batches; return how many rows.

    Kept are the live set and the newest set of each of the last KEPT_SCORE_SETS published versions.
    A failed or cancelled scoring keeps its row, which says why, and loses its scores.
    """
    model = get_recipe(agent.name).score_model
    rows = 0
    for scoring in _superfluous(agent):
        rows += _delete_rows(model, scoring)
        if scoring.published_at is not None:
            scoring.delete()
    return rows


def erase_customer(tenant: str, customer_id: str) -> int:
    """Delete everything derived from one customer: scores of every agent, and feedback; return how many."""
    models: list[type[ScoreRow] | type[Feedback]] = [recipe.score_model for recipe in recipes()]
    with transaction.atomic():
        return sum(
            model._default_manager.filter(tenant=tenant, customer_id=customer_id).delete()[0]
            for model in (*models, Feedback)
        )


def _superfluous(agent: Agent) -> list[ScoringRun]:
    """Return the ended scorings that are not kept, out of reach of a rollback from now on."""
    with transaction.atomic():
        live = Agent.objects.select_for_update().values_list("live_scoring", flat=True).get(pk=agent.pk)
        published: dict[int, ScoringRun] = {}
        ended = list(ScoringRun.objects.filter(agent=agent).exclude(status__in=ACTIVE_STATES))
        for scoring in sorted(ended, key=lambda row: row.created_at, reverse=True):
            if scoring.published_at is not None:
                published.setdefault(scoring.version_id, scoring)
        kept = {scoring.pk for scoring in list(published.values())[: setting("KEPT_SCORE_SETS")]} | {live}
        busy = set(
            ScoringShard.objects.filter(scoring__in=ended, status__in=WORKING_STATES).values_list(
                "scoring", flat=True
            )
        )
        gone = [scoring for scoring in ended if scoring.pk not in kept | busy]
        ScoringRun.objects.filter(pk__in=[scoring.pk for scoring in gone]).update(published_at=None)
    return gone


def _delete_rows(model: type[ScoreRow], scoring: ScoringRun) -> int:
    rows = 0
    while True:
        batch = list(model._default_manager.filter(scoring=scoring).values_list("pk", flat=True)[:BATCH])
        if not batch:
            return rows
        rows += model._default_manager.filter(pk__in=batch).delete()[0]
