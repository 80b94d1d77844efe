"""Reading recommendations: JSON-ready answers for one customer, and the worklist."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone

from crm_agents.answers import latest_feedback, provenance_of, why_not_scored
from crm_agents.experiment_words import control_note
from crm_agents.models import Agent
from crm_agents.selectors import shown_score, visible_live_scores
from crm_agents.words import joined
from crm_data.selectors import get_source
from recommender.choosing.choose import Listing, Shelf
from recommender.choosing.offer import Offer
from recommender.choosing.rules import rules_on
from recommender.choosing.wish import SHOWN, Wish
from recommender.choosing.words import note_of, rule_entries
from recommender.models import RecommendationRule, RecommendationSet
from recommender.reasons import reason_entries


def recommendations_for(
    agent: Agent,
    customer_id: str,
    *,
    limit: int = SHOWN,
    wish: Wish | None = None,
    rules: Sequence[RecommendationRule] | None = None,
) -> dict[str, Any]:
    """Return the live recommendations for one customer, best first, JSON values only.

    `source` is "model", "similar_customers", "popularity" or None; `note` explains every one but the first,
    and every empty list.
    `wish` narrows and reorders the list, and replaces `limit`; `rules` replaces those of today. Who may
    see the customer is the caller's question.
    """
    wish = wish or Wish(limit=limit)
    shown = shown_score(agent, customer_id)
    row = cast(RecommendationSet | None, shown.row)
    answer: dict[str, Any] = {"customer_id": customer_id, "source": None, "items": [], **_terms(wish, "")}
    if row is None and shown.control is not None:
        answer["note"] = control_note(shown.control)
    elif row is None:
        answer["note"] = joined(entry["text"] for entry in why_not_scored(agent, customer_id))
    else:
        shelf = Shelf([row], agent.tenant, wish, rules)
        answer = _answer(row, shelf, shelf.listing(row, agent=agent))
        feedback = latest_feedback(agent, customer_id)
        for item in answer["items"]:
            item["feedback"] = feedback.get(item["product"])
        if shown.control is not None:
            said = [control_note(shown.control), *([] if answer["items"] else [answer["note"]])]
            answer["note"] = joined(said)
    return {"agent": agent.name, **answer, **provenance_of(row, agent, shown.rival)}


def preview(
    agent: Agent, customer_id: str, *, limit: int = SHOWN, draft: RecommendationRule | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one customer's recommendations as they would be without any rule, and as the rules make them.

    With `draft`, a rule that need not be stored: as the rules of today make them, and as they would with it
    in the place of its stored self, whatever its days.
    """
    wish, today = Wish(limit=limit), rules_on(timezone.localdate(), agent.tenant)
    first: list[RecommendationRule] = []
    if draft is not None:
        first, today = today, [rule for rule in today if rule.pk != draft.pk]
        today += [draft] if draft.active else []
    before = recommendations_for(agent, customer_id, wish=wish, rules=first)
    return before, recommendations_for(agent, customer_id, wish=wish, rules=today)


def set_answers(
    rows: Iterable[RecommendationSet], tenant: str, *, limit: int = SHOWN
) -> list[dict[str, Any]]:
    """Return rows of the score table as JSON values with reasons in words.

    The rules of today are heeded. Two queries for them all, and one more where a rule asks for attributes.
    """
    rows = list(rows)
    shelf = Shelf(rows, tenant, Wish(limit=limit))
    return [_answer(row, shelf, shelf.listing(row)) for row in rows]


def worklist(agent: Agent, user: AbstractBaseUser | AnonymousUser) -> QuerySet[RecommendationSet]:
    """Return the live recommendation sets of the customers `user` may see, the surest first."""
    scores = cast("QuerySet[RecommendationSet]", visible_live_scores(agent, user))
    return scores.exclude(score=None).order_by("-score", "-id")


def _answer(row: RecommendationSet, shelf: Shelf, listing: Listing) -> dict[str, Any]:
    names = shelf.names
    return {
        "customer_id": row.customer_id,
        "source": row.payload.get("source"),
        "note": note_of(row, listing, shelf.wish),
        "items": [_item(offer, names) for offer in listing.offers],
        **_terms(shelf.wish, listing.basis),
    }


def _terms(wish: Wish, basis: str) -> dict[str, Any]:
    """Return by what the list is sorted, what its values are made of, and their currency."""
    return {"order": wish.order, "value_of": basis or None, "currency": get_source().currency}


def _item(offer: Offer, names: dict[str, str]) -> dict[str, Any]:
    record = offer.record
    return {
        "product": offer.product,
        "name": record.name or offer.product,
        "category": record.category,
        "price": record.price,
        "available": record.available,
        "score": offer.score,
        "value": None if offer.value is None else round(offer.value, 4),
        "source": offer.source,
        "reasons": [*rule_entries(offer.said), *reason_entries(offer.reasons, names)],
        "feedback": None,
    }
