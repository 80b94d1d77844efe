"""What readers see: the rows behind an agent's live pointer, and no others."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from crm_agents.models import Agent, Kept, RunStatus, ScoreRow, ScoringRun
from crm_agents.recipes import get_recipe
from crm_data.selectors import visible_customer_ids


def live_scores(agent: Agent) -> QuerySet[ScoreRow]:
    """Return the live score of every customer; empty where nothing is live."""
    rows = get_recipe(agent.name).score_model._default_manager.all()
    return rows.none() if agent.live_scoring_id is None else rows.filter(scoring=agent.live_scoring_id)


def live_score(agent: Agent, customer_id: str) -> ScoreRow | None:
    """Return one customer's live score, or None where there is none."""
    return live_scores(agent).filter(tenant=agent.tenant, customer_id=customer_id).first()


def visible_live_scores(agent: Agent, user: AbstractBaseUser | AnonymousUser) -> QuerySet[ScoreRow]:
    """Return the live scores of the customers that `user` may see."""
    ids = visible_customer_ids(user, tenant=agent.tenant)
    return live_scores(agent) if ids is None else live_scores(agent).filter(customer_id__in=ids)


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
