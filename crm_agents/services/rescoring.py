import logging

from crm_agents.models import Agent
from crm_agents.services.scoring import NothingToScore, ScoringAlreadyActive, start_scoring
from crm_data.services.snapshots import SnapshotError, build_snapshot
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)


def score_live_agents() -> int:
    """Score the newest rows of every tenant with its live versions; return how many scorings began."""
    live = Agent.objects.filter(live_version__isnull=False).select_related("live_version")
    begun = 0
    for tenant in sorted({agent.tenant for agent in live}):
        try:
            build_snapshot(tenant)
        except SnapshotError:
            logger.exception("Tenant %r is not scored: its snapshot could not be built.", tenant)
            continue
        begun += sum(_score(agent) for agent in live if agent.tenant == tenant)
    return begun


def _score(agent: Agent) -> bool:
    try:
        start_scoring(agent)
    except ScoringAlreadyActive as active:
        logger.info("%s", active)
        return False
    except (HandoffError, NothingToScore):
        logger.exception("%s is not scored; the other agents are.", agent)
        return False
    return True
