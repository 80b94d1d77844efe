"""Scoring anew with what is live, and beside it with what is in the shadow."""

import logging
from collections.abc import Iterable

from django.db.models import Q

from crm_agents.models import Agent
from crm_agents.services.scoring import NothingToScore, ScoringAlreadyActive, start_scoring
from crm_data.services.snapshots import SnapshotError, build_snapshot
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)


def score_live_agents() -> int:
    """Score the newest rows of every tenant with its live and shadow versions; return how many began."""
    at_work = Q(live_version__isnull=False) | Q(shadow_version__isnull=False)
    return score_agents(Agent.objects.filter(at_work).select_related("live_version", "shadow_version"))


def score_agents(agents: Iterable[Agent]) -> int:
    """Build one new snapshot for each tenant and score these agents on it; return how many scorings began."""
    agents, begun = list(agents), 0
    for tenant in sorted({agent.tenant for agent in agents}):
        try:
            build_snapshot(tenant)
        except SnapshotError:
            logger.exception("Tenant %r is not scored: its snapshot could not be built.", tenant)
            continue
        begun += sum(_score(agent) for agent in agents if agent.tenant == tenant)
    return begun


def _score(agent: Agent) -> int:
    begun = 0
    if agent.live_version is not None:
        begun += _begin(agent)
    if agent.shadow_version is not None:
        begun += _begin(agent, shadow=True)
    return begun


def _begin(agent: Agent, *, shadow: bool = False) -> bool:
    try:
        if shadow:
            start_scoring(agent, version=agent.shadow_version, shadow=True)
        else:
            start_scoring(agent)
    except ScoringAlreadyActive as active:
        logger.info("%s", active)
        return False
    except (HandoffError, NothingToScore):
        logger.exception("%s is not scored; the other agents are.", agent)
        return False
    return True
