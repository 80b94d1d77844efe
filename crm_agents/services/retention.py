"""How long scores are kept, and how a customer's are erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from crm_agents.models import (
    ACTIVE_STATES,
    Agent,
    Feedback,
    FreshScore,
    Kept,
    RunStatus,
    ScoreRow,
    ScoringRun,
    ScoringShard,
)
from crm_agents.models.audit import AuditAction
from crm_agents.recipes import get_recipe, recipes
from crm_agents.selectors import published_scorings, shadow_scoring
from crm_agents.services import audit
from crm_agents.services.leases import WORKING_STATES
from crm_agents.services.scoring import newest_snapshot
from crm_agents.services.side_tables import delete_side_rows, take_out
from crm_data.conf import setting
from crm_data.selectors import customer_names

BATCH = 2_000

Derived = type[ScoreRow] | type[Feedback] | type[FreshScore]


def delete_old_scores(agent: Agent) -> int:
    """Delete the score sets that readers cannot reach any more, in batches; return how many rows.

    Kept are the live set, the newest of the shadow, and the newest set of each of the KEPT_SCORE_SETS
    versions that were live last. Every scoring keeps its record; one without scores lets go of its
    snapshot.
    """
    model = get_recipe(agent.name).score_model
    rows = 0
    for scoring in _superfluous(agent):
        rows += _delete_rows(model, scoring) + delete_side_rows(scoring)
        rows += _delete_rows(FreshScore, scoring)
        ScoringRun.objects.filter(pk=scoring.pk).update(scores=Kept.GONE, snapshot=None)
    return rows


def erase_customer(tenant: str, customer_id: str, *, user: audit.Actor = None) -> int:
    """Delete everything derived from one customer: scores of every agent, and feedback; return how many.

    The audit trail keeps the counts and not the name.
    """
    erased = 0
    with transaction.atomic():
        for agent in Agent.objects.filter(tenant=tenant, name__in=[recipe.name for recipe in recipes()]):
            counts = {
                model: derived.filter(customer_id=customer_id).delete()[0]
                for model, derived in _derived(agent)
            }
            for scoring in _stored(agent):
                take_out(scoring, [customer_id])
            erased += _recorded(agent, counts, user)
    return erased


def erase_removed_customers(agent: Agent) -> int:
    """Erase what is derived from customers who are no longer in the CRM; return how many rows.

    They are those whom neither a complete scoring of the newest snapshot nor the CRM itself knows: their
    rows in the score sets kept for rollback, and the feedback on them. Older data that is live says
    nothing of who was removed.
    """
    agent.refresh_from_db(fields=["live_scoring"])  # the caller's copy may be minutes old
    live, newest = agent.live_scoring, newest_snapshot(agent)
    if live is None or newest is None or live.snapshot_id != newest.pk:
        return 0
    scored = get_recipe(agent.name).score_model._default_manager.filter(
        scoring=live, customer_id=OuterRef("customer_id")
    )
    counts: dict[Derived, int] = {}
    gone: set[str] = set()
    for model, derived in _derived(agent):
        if model is not Feedback:
            shadow = Q(scoring__shadow=True, scoring__status=RunStatus.SUCCEEDED)
            derived = derived.filter(Q(scoring__published_at__isnull=False) | shadow)
        missing = list(derived.exclude(Exists(scored)).values_list("pk", "customer_id"))
        removed = _of_removed(agent.tenant, missing)
        counts[model] = _delete(model, [key for key, _customer in removed])
        gone |= {customer for _key, customer in removed}
    for scoring in _stored(agent):
        take_out(scoring, gone)
    return _recorded(agent, counts, None)


def _derived(agent: Agent) -> list[tuple[Derived, QuerySet[Any]]]:
    """Return the rows of each table that speak of customers on behalf of the agent."""
    model = get_recipe(agent.name).score_model
    return [
        (model, model._default_manager.filter(tenant=agent.tenant, scoring__agent=agent)),
        (FreshScore, FreshScore.objects.filter(tenant=agent.tenant, agent=agent)),
        (Feedback, Feedback.objects.filter(tenant=agent.tenant, agent=agent)),
    ]


def _stored(agent: Agent) -> QuerySet[ScoringRun]:
    return ScoringRun.objects.filter(agent=agent).exclude(scores=Kept.GONE).select_related("agent")


def _of_removed(tenant: str, rows: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the rows (key, customer) of who is not in the CRM; a customer may be newer than the snapshot."""
    customers = sorted({customer for _key, customer in rows})
    present: set[str] = set()
    for start in range(0, len(customers), BATCH):
        present |= customer_names(customers[start : start + BATCH], tenant=tenant).keys()
    return [(key, customer) for key, customer in rows if customer not in present]


def _recorded(agent: Agent, counts: Mapping[Derived, int], user: audit.Actor) -> int:
    rows = sum(counts.values())
    if rows:
        detail = {str(model._meta.model_name): count for model, count in counts.items() if count}
        audit.record(agent, AuditAction.CUSTOMERS_ERASED, agent, user=user, detail=detail)
    return rows


def _superfluous(agent: Agent) -> list[ScoringRun]:
    """Return the ended scorings whose scores are not kept, out of reach of a rollback from now on."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        published: dict[int, ScoringRun] = {}
        for scoring in published_scorings(agent):
            published.setdefault(scoring.version_id, scoring)
        shadow = shadow_scoring(agent)
        kept = {scoring.pk for scoring in list(published.values())[: setting("KEPT_SCORE_SETS")]}
        kept |= {pk for pk in (agent.live_scoring_id, shadow.pk if shadow else None) if pk is not None}
        stored = ScoringRun.objects.filter(agent=agent).exclude(scores=Kept.GONE)
        ended = list(stored.exclude(status__in=ACTIVE_STATES))
        busy = set(
            ScoringShard.objects.filter(scoring__in=ended, status__in=WORKING_STATES).values_list(
                "scoring", flat=True
            )
        )
        gone = [scoring for scoring in ended if scoring.pk not in kept | busy]
        ScoringRun.objects.filter(pk__in=[scoring.pk for scoring in gone]).update(scores=Kept.GOING)
    return gone


def _delete_rows(model: type[ScoreRow] | type[FreshScore], scoring: ScoringRun) -> int:
    return _delete(model, list(model._default_manager.filter(scoring=scoring).values_list("pk", flat=True)))


def _delete(model: Derived, keys: Sequence[int]) -> int:
    """Delete rows in batches, so that a small database's other writers get their turn."""
    return sum(
        model._default_manager.filter(pk__in=keys[start : start + BATCH]).delete()[0]
        for start in range(0, len(keys), BATCH)
    )
