"""What readers see: the rows behind an agent's live pointer, and no others."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from crm_agents.arms import in_second_arm, running, second_arm, second_arm_rows
from crm_agents.models import Agent, Experiment, Kept, RunStatus, ScoreRow, ScoringRun, Treatment
from crm_agents.models.fresh import FreshScore
from crm_agents.recipes import get_recipe
from crm_data.selectors import visible_customer_ids


def live_scores(agent: Agent) -> QuerySet[ScoreRow]:
    """Return the live score of every customer; empty where nothing is live."""
    rows = get_recipe(agent.name).score_model._default_manager.all()
    return rows.none() if agent.live_scoring_id is None else rows.filter(scoring=agent.live_scoring_id)


def live_score(agent: Agent, customer_id: str) -> ScoreRow | None:
    """Return one customer's live score, or None where there is none.

    One that was refreshed after an interaction comes before the published one, and `refreshed` tells of it.
    Lists, watching and judging read `live_scores`, where everybody is scored at the same moment.
    """
    refreshed = _refreshed_score(agent, customer_id)
    if refreshed is not None:
        return refreshed
    return live_scores(agent).filter(tenant=agent.tenant, customer_id=customer_id).first()


def _refreshed_score(agent: Agent, customer_id: str) -> ScoreRow | None:
    if agent.live_scoring_id is None:
        return None
    fresh = FreshScore.objects.filter(scoring=agent.live_scoring_id, customer_id=customer_id)
    found = fresh.filter(tenant=agent.tenant).first()
    if found is None:
        return None
    recipe = get_recipe(agent.name)
    row = recipe.score_model(
        scoring_id=found.scoring_id,
        tenant=found.tenant,
        customer_id=found.customer_id,
        score=found.score,
        payload=found.payload,
        **recipe.score_fields(found.score, found.payload),
    )
    row.refreshed = found
    return row


@dataclass(frozen=True)
class Shown:
    """What readers may be shown of one customer.

    `control` is the experiment whose control group the customer belongs to; the row then is what is popular
    with everyone, or None for nothing. `rival` is the scoring of version B, for whoever is shown that.
    """

    row: ScoreRow | None
    control: Experiment | None = None
    rival: ScoringRun | None = None


def shown_score(agent: Agent, customer_id: str) -> Shown:
    """Return what readers see of a customer: the live score, unless an experiment has it otherwise."""
    now, live = running(agent), live_score(agent, customer_id)
    if live is None:
        return Shown(None)
    if now.control is not None and in_second_arm(now.control, customer_id):
        return Shown(_popular_row(agent, now.control, live), now.control)
    if now.ab is not None:
        return _of_night(agent, now.ab, live)
    return Shown(live)


def shown_scores(agent: Agent) -> QuerySet[ScoreRow]:
    """Return everybody's scores as readers may list them: nobody of a control group, arm B's by version B."""
    now, rows = running(agent), live_scores(agent)
    if now.ab is not None and (shadow := shadow_scoring(agent)) is not None:
        second = second_arm_rows(now.ab)
        every = get_recipe(agent.name).score_model._default_manager.all()
        rows = every.filter((Q(scoring=agent.live_scoring_id) & ~second) | (Q(scoring=shadow) & second))
    return rows if now.control is None else rows.exclude(second_arm_rows(now.control))


def without_control(agent: Agent, customers: Iterable[str]) -> list[str]:
    """Return those of `customers` who are in no control group, in their order: for lists of whom to call."""
    control, every = running(agent).control, list(customers)
    if control is None:
        return every
    return [each for each, there in zip(every, second_arm(control, every), strict=True) if not there]


def visible_live_scores(agent: Agent, user: AbstractBaseUser | AnonymousUser) -> QuerySet[ScoreRow]:
    """Return the scores that `user` may list: of the customers that the user may see, as readers see them."""
    ids = visible_customer_ids(user, tenant=agent.tenant)
    return shown_scores(agent) if ids is None else shown_scores(agent).filter(customer_id__in=ids)


def published_scorings(agent: Agent) -> QuerySet[ScoringRun]:
    """Return the score sets that are or were live and are still kept, the one that went live last first."""
    kept = ScoringRun.objects.filter(
        agent=agent, status=RunStatus.SUCCEEDED, scores=Kept.KEPT, published_at__isnull=False
    )
    return kept.select_related("version__agent").order_by("-published_at", "-created_at")


def shadow_scoring(agent: Agent) -> ScoringRun | None:
    """Return the newest complete scores of the agent's shadow, which nobody is shown; None without any."""
    if agent.shadow_version_id is None:
        return None
    mine = ScoringRun.objects.filter(agent=agent, shadow=True, version=agent.shadow_version_id)
    complete = mine.filter(status=RunStatus.SUCCEEDED, scores=Kept.KEPT)
    return complete.select_related("version__agent").order_by("-created_at").first()


def scoring_before(agent: Agent) -> ScoringRun | None:
    """Return what rolling back would show: the kept scores of the version that was live before this one."""
    if agent.live_version_id is None:
        return None
    return published_scorings(agent).exclude(version=agent.live_version_id).first()


def _of_night(agent: Agent, ab: Experiment, live: ScoreRow) -> Shown:
    """Return the own version's score of the night: only A could be refreshed, and would be ahead by that."""
    rival = shadow_scoring(agent) if in_second_arm(ab, live.customer_id) else None
    rows = get_recipe(agent.name).score_model._default_manager.filter(tenant=live.tenant)
    row = rows.filter(scoring=rival or agent.live_scoring, customer_id=live.customer_id).first()
    return Shown(live) if row is None else Shown(row, rival=rival)


def _popular_row(agent: Agent, control: Experiment, live: ScoreRow) -> ScoreRow | None:
    if control.treatment != Treatment.POPULARITY:
        return None
    recipe = get_recipe(agent.name)
    payload = recipe.popular_payload(agent)
    if payload is None:
        return None
    return recipe.score_model(
        scoring=live.scoring, tenant=live.tenant, customer_id=live.customer_id, score=None, payload=payload
    )
