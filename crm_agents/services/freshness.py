"""Keeping answers fresh: what happens with a customer is noted here, and a worker answers anew.

    from crm_agents.services.freshness import refresh
    refresh([deal.company_id])           # a host, where it stores an event of its own

The note is the truth and the message only a wake-up, as with runs: where the queue is down the published
scores stay, and the notes are worked off once it is back.
"""

import datetime as dt
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Model, QuerySet
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from crm_agents.models import Agent, FreshScore, News, ScoringRun
from crm_agents.recipes import recipes
from crm_agents.services.waking import ask
from crm_data import reading
from crm_data.conf import setting
from crm_data.models import OptOut
from crm_data.paths import join
from crm_data.selectors import get_source

logger = logging.getLogger(__name__)

REFRESH, WARM_UP = "crm_agents.tasks.refresh", "crm_agents.tasks.warm_up"
BATCH = 2_000
LONGEST = 64  # characters of an id that a score can have
# A note that has waited so long tells that nobody is at work on them: one more message would not help.
STUCK = dt.timedelta(seconds=5)
# The clock asks again for notes of that age, whose message was lost; older ones wait for a worker to start.
LATE = dt.timedelta(minutes=1)
LOST, GIVEN_UP = dt.timedelta(seconds=10), dt.timedelta(minutes=10)


def refresh(customer_ids: Iterable[Any], tenant: str = "") -> int:
    """Have the agents answer anew about these customers within about a second; return how many were noted.

    To be called in the transaction that stores what happened, or after it. Nothing is noted where no agent
    has published scores, nor of customers who opted out.
    """
    wanted = {text for text in map(str, customer_ids) if 0 < len(text) <= LONGEST and "\0" not in text}
    if not wanted or not fresh_agents(tenant).exists():
        return 0
    wanted -= _opted_out(sorted(wanted), tenant)
    _note(sorted(wanted), tenant)
    return len(wanted)


def fresh_agents(tenant: str | None = None) -> QuerySet[Agent]:
    """Return the agents with published scores that are kept fresh: `CRM_AGENTS["FRESH_AGENTS"]`."""
    chosen = setting("FRESH_AGENTS")
    names = [recipe.name for recipe in recipes() if recipe.name in chosen]
    live = Agent.objects.filter(name__in=names, live_scoring__isnull=False)
    return live if tenant is None else live.filter(tenant=tenant)


@dataclass(frozen=True)
class Freshness:
    """How far an agent's answers are ahead of its published scores."""

    refreshed: int  # customers
    waiting: int  # customers with news that nobody has looked at
    since: dt.datetime | None  # when the oldest of these was noted

    @property
    def is_stuck(self) -> bool:
        """Whether no worker seems to look after the news."""
        return self.since is not None and timezone.now() - self.since > LATE


def freshness_of(agent: Agent) -> Freshness | None:
    """Return how fresh an agent's answers are; None where nothing is live or they are not kept fresh."""
    if agent.live_scoring_id is None or agent.name not in setting("FRESH_AGENTS"):
        return None
    waiting = News.objects.filter(tenant=agent.tenant)
    found = waiting.aggregate(customers=Count("customer_id", distinct=True), since=Min("at"))
    refreshed = FreshScore.objects.filter(scoring=agent.live_scoring_id).count()
    return Freshness(refreshed, found["customers"], found["since"])


def carry_over(agent: Agent, scoring: ScoringRun) -> None:
    """Keep the answers fresh where other scores go live: of news that these do not know, answer anew.

    The caller publishes in the same transaction.
    """
    if agent.name not in setting("FRESH_AGENTS"):
        return
    if scoring.snapshot is not None:
        newer = FreshScore.objects.filter(agent=agent, made_at__gt=scoring.snapshot.watermark)
        customers = newer.exclude(scoring=scoring).values_list("customer_id", flat=True).distinct()
        News.objects.bulk_create(
            [News(tenant=agent.tenant, customer_id=customer) for customer in customers.order_by()],
            batch_size=BATCH,
        )
    transaction.on_commit(partial(ask, WARM_UP))


def load_anew() -> None:
    """Have the worker read its data again: an erased customer was taken out of them."""
    if fresh_agents().exists():
        ask(WARM_UP)


def ask_again() -> bool:
    """Send the message again for news that waits too long; True where there was any."""
    now = timezone.now()
    waiting = News.objects.filter(at__lt=now - LOST, at__gt=now - GIVEN_UP)
    return waiting.exists() and ask(REFRESH)


def follow_source() -> None:
    """Refresh whenever a row that the Source reads as an event is saved or deleted, one by one.

    Bulk writes send no signals: there the host calls `refresh` itself, and so does one of several tenants.
    """
    for mapping in get_source().interactions:
        model = reading.model_of(mapping.model)
        for signal in (post_save, post_delete):
            signal.connect(_row_changed, sender=model, dispatch_uid=f"crm_agents.freshness.{mapping.model}")


def _row_changed(sender: type[Model], instance: Model, **_signal: Any) -> None:
    source = get_source()
    for mapping in source.interactions:
        if issubclass(sender, reading.model_of(mapping.model)):
            customer: Any = instance
            for name in join(mapping.customer, source.customers.key).split("__"):
                customer = getattr(customer, name, None)
            if customer is not None:
                refresh([customer])


def _opted_out(customers: list[str], tenant: str) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(customers), BATCH):
        part = OptOut.objects.filter(tenant=tenant, customer_id__in=customers[start : start + BATCH])
        found |= set(part.values_list("customer_id", flat=True))
    return found


def _note(customers: Collection[str], tenant: str) -> None:
    if not customers:
        return
    stuck = News.objects.filter(at__lt=timezone.now() - STUCK).exists()
    notes = [News(tenant=tenant, customer_id=customer) for customer in customers]
    News.objects.bulk_create(notes, batch_size=BATCH)
    if not stuck:
        transaction.on_commit(partial(ask, REFRESH))
