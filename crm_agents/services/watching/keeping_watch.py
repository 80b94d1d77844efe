"""The round that is made every few minutes: what is due is started, what went wrong is told."""

import datetime as dt
import logging

from django.utils import timezone

from crm_agents.models import Agent
from crm_agents.recipes import recipes
from crm_agents.services.experiments.measuring import send_for_measuring as send_experiments
from crm_agents.services.remeasuring import send_for_measuring
from crm_agents.services.rescoring import score_agents
from crm_agents.services.retention import delete_old_scores
from crm_agents.services.runs import RunAlreadyActive, start_run
from crm_agents.services.watching.alerting import check_alerts
from crm_agents.services.watching.alone import alone
from crm_agents.services.watching.judging import send_for_judging
from crm_agents.services.watching.recording import record_leftovers
from crm_agents.services.watching.schedule import scoring_due, training_due
from crm_data.conf import root
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)


def keep_watch(*, now: dt.datetime | None = None) -> None:
    """Make one round over the agents; nothing where another worker is making it."""
    now = now or timezone.now()
    with alone(root() / "watch") as first:
        if not first:
            return
        record_leftovers()
        known = [recipe.name for recipe in recipes()]
        agents = list(Agent.objects.filter(name__in=known).select_related("live_version", "shadow_version"))
        for agent in agents:
            _watch(agent, now)
        score_agents([agent for agent in agents if scoring_due(agent, now)])


def _watch(agent: Agent, now: dt.datetime) -> None:
    """See to one agent; its troubles are not the others'."""
    try:
        delete_old_scores(agent)
        send_for_judging(agent)
        send_for_measuring(agent)
        send_experiments(agent, now=now)
        check_alerts(agent, now=now)
        reason = training_due(agent, now)
        if reason:
            start_run(agent, started_for=reason)
    except RunAlreadyActive as active:
        logger.info("%s", active)
    except HandoffError as error:
        logger.warning("%s cannot be watched: %s", agent, error)
    except Exception:
        logger.exception("%s cannot be watched; the other agents are.", agent)
