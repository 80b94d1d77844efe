"""Reading recommendations: JSON-ready answers for one customer, and the worklist."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm_agents.answers import latest_feedback, provenance, why_not_scored
from crm_agents.missing import missing_sentences
from crm_agents.models import Agent
from crm_agents.selectors import live_score, visible_live_scores
from crm_agents.words import joined
from crm_data.selectors import ProductRecord, get_source, product_records
from recommender.models import RecommendationSet
from recommender.reasons import products_named, reason_entries

SHOWN = 10


def recommendations_for(agent: Agent, customer_id: str, *, limit: int = SHOWN) -> dict[str, Any]:
    """Return the live recommendations for one customer, best first, JSON values only.

    `source` is "model", "popularity" or None; `note` explains the latter two and every empty list.
    Who may see the customer is the caller's question.
    """
    row = cast(RecommendationSet | None, live_score(agent, customer_id))
    answer: dict[str, Any] = {"customer_id": customer_id, "source": None, "items": []}
    if row is None:
        answer["note"] = joined(entry["text"] for entry in why_not_scored(agent, customer_id))
    else:
        answer = set_answers([row], agent.tenant, limit=limit)[0]
        feedback = latest_feedback(agent, customer_id)
        for item in answer["items"]:
            item["feedback"] = feedback.get(item["product"])
    return {"agent": agent.name, **answer, **provenance(agent)}


def set_answers(
    rows: Iterable[RecommendationSet], tenant: str, *, limit: int = SHOWN
) -> list[dict[str, Any]]:
    """Return rows of the score table as JSON values with reasons in words; one product query for them all."""
    rows = list(rows)
    products = product_records(_products_of(rows, limit), tenant=tenant)
    names = {code: record.name or code for code, record in products.items()}
    return [_answer(row, products, names, limit) for row in rows]


def worklist(agent: Agent, user: AbstractBaseUser | AnonymousUser) -> QuerySet[RecommendationSet]:
    """Return the live recommendation sets of the customers `user` may see, the surest first."""
    scores = cast("QuerySet[RecommendationSet]", visible_live_scores(agent, user))
    return scores.exclude(score=None).order_by("-score", "-id")


def _answer(
    row: RecommendationSet, products: dict[str, ProductRecord], names: dict[str, str], limit: int
) -> dict[str, Any]:
    stored = row.payload.get("items", [])[:limit]
    # A product that the CRM has deleted since the scoring must not be offered any more.
    kept = [item for item in stored if str(item["product"]) in products or get_source().products is None]
    return {
        "customer_id": row.customer_id,
        "source": row.payload.get("source"),
        "note": _note(row, bool(stored), bool(kept)),
        "items": [_item(item, products, names) for item in kept],
    }


def _item(item: dict[str, Any], products: dict[str, ProductRecord], names: dict[str, str]) -> dict[str, Any]:
    code = str(item["product"])
    product = products.get(code) or ProductRecord(id=code, name=code, category="", price=None)
    return {
        "product": code,
        "name": product.name or code,
        "category": product.category,
        "price": product.price,
        "score": item.get("score"),
        "reasons": reason_entries(item.get("reasons", []), names),
        "feedback": None,
    }


def _note(row: RecommendationSet, any_stored: bool, any_kept: bool) -> str:
    if any_stored and not any_kept:
        return _("The recommended products are no longer in the catalogue; the next scoring replaces them.")
    if not any_stored:
        missing = joined(missing_sentences(row.payload.get("missing", [])))
        return missing or _("The agent found no product to recommend to this customer.")
    if row.payload.get("source") == "popularity":
        return _("Popular with everyone; this customer has no purchases yet.")
    return ""


def _products_of(rows: list[RecommendationSet], limit: int) -> set[str]:
    items = [item for row in rows for item in row.payload.get("items", [])[:limit]]
    codes = {str(item["product"]) for item in items}
    return codes.union(*(products_named(item.get("reasons", [])) for item in items)) if items else codes
