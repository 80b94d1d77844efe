"""The interactive worker's work: answer anew about every customer of whom there is news."""

import logging
import time
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from crm_agents.models import Agent, FreshScore, News, ScoringRun
from crm_agents.services.freshness import REFRESH, fresh_agents
from crm_agents.services.score_writing import parsed
from crm_agents.services.serving import CannotServe, ChildLost, served_model, warm_models
from crm_agents.services.waking import ask
from crm_data.reading import UnknownCurrency
from crm_data.services.extracts import known_of
from crm_data.suppression import standing
from handoff.errors import HandoffError
from handoff.serving import Known, Reply

logger = logging.getLogger(__name__)

BUSY_SECONDS = 20.0  # before other messages have their turn
MOST_ATTEMPTS = 3  # at one customer; then the published scores stay


def warm_up() -> int:
    """Load the live model of every agent that is kept fresh, and go on with the news; return how many."""
    loaded = 0
    for agent in fresh_agents().select_related("live_scoring__version", "live_scoring__snapshot"):
        scoring = agent.live_scoring
        try:
            if scoring is not None:
                warm_models.load(agent.pk, served_model(scoring))
                loaded += 1
        except (CannotServe, ChildLost, HandoffError) as error:
            logger.warning("%s is not kept fresh: %s", agent, error)
    refresh_waiting()
    return loaded


def refresh_waiting(seconds: float = BUSY_SECONDS) -> int:
    """Refresh every customer of whom there is news, the newest news first; return how many were looked at."""
    done, deadline = 0, time.monotonic() + seconds
    while (news := News.objects.order_by("attempts", "-pk").first()) is not None:
        if time.monotonic() > deadline:
            ask(REFRESH)
            break
        refresh_customer(news.tenant, news.customer_id)
        done += 1
    return done


def refresh_customer(tenant: str, customer_id: str) -> bool:
    """Let every agent that is kept fresh answer anew about one customer; False: to be tried again."""
    about = News.objects.filter(tenant=tenant, customer_id=customer_id)
    upto = about.aggregate(last=Max("pk"))["last"] or 0
    about.filter(pk__lte=upto).update(attempts=F("attempts") + 1)
    attempts = about.aggregate(most=Max("attempts"))["most"] or MOST_ATTEMPTS
    read_at = timezone.now()
    done = _answered(tenant, customer_id, read_at)
    if not done and attempts >= MOST_ATTEMPTS:
        logger.warning("A customer could not be refreshed in %d attempts; the scores stay.", attempts)
    if done or attempts >= MOST_ATTEMPTS:
        about.filter(pk__lte=upto).delete()
    return done


def _answered(tenant: str, customer_id: str, read_at: datetime) -> bool:
    if standing(customer_id, tenant).left_out:
        return True
    try:
        known = known_of(customer_id, tenant)
    except (HandoffError, UnknownCurrency) as error:
        logger.warning("A customer is not refreshed: %s", error)
        return True
    if known is None:
        FreshScore.objects.filter(tenant=tenant, customer_id=customer_id).delete()
        return True
    agents = fresh_agents(tenant).select_related("live_scoring__version", "live_scoring__snapshot")
    answered = [_by_agent(agent, customer_id, known, read_at) for agent in agents]
    return all(answered)


def _by_agent(agent: Agent, customer_id: str, known: Known, read_at: datetime) -> bool:
    scoring = agent.live_scoring
    if scoring is None:
        return True
    try:
        reply = warm_models.ask(agent.pk, served_model(scoring), customer_id, known)
    except (CannotServe, HandoffError) as error:
        logger.warning("%s is not kept fresh: %s", agent, error)
        return True  # the published scores stay, and trying again would change nothing
    except ChildLost as lost:
        logger.warning("%s: %s", agent, lost)
        return False
    if reply.error:
        logger.warning("%s could not answer anew: %s", agent, reply.error)
        return reply.final
    return _store(scoring, customer_id, reply, read_at)


def _store(scoring: ScoringRun, customer_id: str, reply: Reply, read_at: datetime) -> bool:
    """Keep an answer; False where other scores went live meanwhile, with which it must not be mixed."""
    as_of = parse_datetime(reply.as_of) or scoring.as_of
    values = {"score": reply.score, "payload": parsed(reply.payload), "as_of": as_of, "made_at": read_at}
    tenant = scoring.agent.tenant
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=scoring.agent_id)
        if agent.live_scoring_id != scoring.pk:
            return False
        mine = FreshScore.objects.filter(scoring=scoring, customer_id=customer_id)
        if not mine.filter(made_at__lte=read_at).update(**values) and not mine.exists():
            names = {"tenant": tenant, "customer_id": customer_id}
            _insert(FreshScore(agent=agent, scoring=scoring, **names, **values))
    if standing(customer_id, tenant).left_out:  # opted out or erased while it was being answered
        mine.delete()
    return True


def _insert(row: FreshScore) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        logger.info("Another worker answered first; its answer is of the same events or newer ones.")
