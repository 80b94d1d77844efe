"""Reading churn warnings: JSON-ready answers for one customer, and the worklist."""

from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from churn.models import ChurnScore, Tier, Trend
from churn.reasons import reason_entries
from crm_agents.answers import Entry, latest_feedback, provenance_of, why_not_scored
from crm_agents.experiment_words import control_note
from crm_agents.missing import missing_entries
from crm_agents.models import Agent
from crm_agents.recipes import Cell
from crm_agents.selectors import shown_score, shown_scores, visible_live_scores
from crm_data.selectors import get_source


def churn_for(agent: Agent, customer_id: str) -> dict[str, Any]:
    """Return the live churn answer about one customer, JSON values only.

    `probability` is None where there is no answer; `missing` then says why, `code` and `text` each.
    Who may see the customer is the caller's question.
    """
    shown = shown_score(agent, customer_id)
    row = cast(ChurnScore | None, shown.row)
    if shown.control is not None:
        why = [{"code": "control_group", "text": control_note(shown.control)}]
    else:
        why = [] if row else why_not_scored(agent, customer_id)
    answer = score_answer(row) if row else _no_answer(customer_id, why)
    feedback = latest_feedback(agent, customer_id).get("")
    return {"agent": agent.name, **answer, **provenance_of(row, agent, shown.rival), "feedback": feedback}


def score_answer(row: ChurnScore) -> dict[str, Any]:
    """Return one row of the score table as JSON values, reasons in words."""
    if row.score is None:
        return _no_answer(row.customer_id, missing_entries(row.payload.get("missing", [])))
    return {
        "customer_id": row.customer_id,
        "probability": round(row.score, 4),
        "tier": row.tier,
        "tier_label": str(Tier(row.tier).label),
        "trend": row.trend,
        "trend_label": str(Trend(row.trend).label),
        "reasons": reason_entries(row.payload.get("reasons", []), get_source().currency),
        "missing": [],
    }


def worklist(
    agent: Agent, user: AbstractBaseUser | AnonymousUser, tier: str | None = None
) -> QuerySet[ChurnScore]:
    """Return the live scores of the customers `user` may see, highest risk first.

    Customers without an answer are left out unless `tier` is "unknown".
    """
    scores = cast("QuerySet[ChurnScore]", visible_live_scores(agent, user))
    scores = scores.exclude(score=None) if tier is None else scores.filter(tier=tier)
    return scores.order_by("-score", "-id")


def tier_cells(agent: Agent, customer_ids: list[str]) -> dict[str, Cell]:
    """Return the tier of each scored customer among `customer_ids`, for lists of customers."""
    scores = cast("QuerySet[ChurnScore]", shown_scores(agent))
    rows = scores.filter(customer_id__in=customer_ids).values_list("customer_id", "tier")
    return {customer: Cell(Tier(tier).label, tier) for customer, tier in rows}


def _no_answer(customer_id: str, missing: list[Entry]) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "probability": None,
        "tier": Tier.UNKNOWN.value,
        "tier_label": str(Tier.UNKNOWN.label),
        "trend": Trend.UNKNOWN.value,
        "trend_label": str(Trend.UNKNOWN.label),
        "reasons": [],
        "missing": missing,
    }
