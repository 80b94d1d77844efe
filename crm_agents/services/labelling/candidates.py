"""What could be labelled: the customers an agent has scored, or the CRM's texts, each with what is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from crm_agents.models import Agent, LabelSet, Subject
from crm_agents.selectors import live_scores
from crm_agents.services.labelling.sets import scored_answer
from crm_data.models import InteractionKind
from crm_data.selectors import customer_ids, recent_texts
from crm_data.suppression import Suppressed

MOST_TEXTS = 20_000  # the newest; older ones have other words for other products
LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Candidate:
    """One subject that may be queued. `probabilities` is empty where no model has spoken."""

    customer_id: str
    at: datetime
    key: str = ""
    text: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)


def candidates(label_set: LabelSet) -> list[Candidate]:
    """Return everything that could be labelled in a set, labelled before or not.

    Nobody is asked about customers who opted out or were erased.
    """
    suppressed = Suppressed(label_set.agent.tenant)
    return [each for each in _all(label_set) if not suppressed or not suppressed.why(each.customer_id)]


def _all(label_set: LabelSet) -> list[Candidate]:
    if label_set.subject == Subject.CUSTOMER:
        return list(_customers(label_set.agent, label_set))
    kind = InteractionKind.QUESTION if label_set.subject == Subject.QUESTION else None
    return [
        Candidate(text.customer, text.at, text.key, text.text[:LONGEST_TEXT])
        for text in recent_texts(tenant=label_set.agent.tenant, kind=kind, limit=MOST_TEXTS)
    ]


def _customers(agent: Agent, label_set: LabelSet) -> Iterator[Candidate]:
    scored, others = scored_answer(label_set), _other_answers(label_set)
    if agent.live_scoring is None:
        now = timezone.now().replace(microsecond=0)
        yield from (Candidate(customer, now) for customer in customer_ids(tenant=agent.tenant))
        return
    as_of = agent.live_scoring.as_of
    rows = live_scores(agent).filter(tenant=agent.tenant, score__isnull=False).order_by("pk")
    for customer, score in rows.values_list("customer_id", "score").iterator(chunk_size=5_000):
        known = {} if scored is None or score is None else _probabilities(scored, others, score)
        yield Candidate(customer, as_of, probabilities=known)


def _other_answers(label_set: LabelSet) -> list[str]:
    return [choice["value"] for choice in label_set.choices if not choice.get("scored")]


def _probabilities(scored: str, others: list[str], score: float) -> dict[str, float]:
    """Return the score as a distribution: what it leaves is shared evenly by the other answers."""
    if not 0 <= score <= 1:
        return {}
    rest = (1 - score) / len(others)
    return {scored: round(score, 6), **{other: round(rest, 6) for other in others}}
