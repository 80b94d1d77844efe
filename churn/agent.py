"""The churn agent: who is about to stop buying, how sure that is, and why."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from churn.conf import NOT_TRAINING, Thresholds, thresholds
from churn.models import ChurnScore, Tier, Trend
from churn.selectors import churn_for, tier_cells
from crm_agents.answers import as_of
from crm_agents.conf import agent_settings
from crm_agents.models import Agent, ScoreRow, Subject
from crm_agents.recipes import Answer, Cell, Gate, LabelTemplate, Panel, Recipe, Text
from crm_agents.words import percent


class Churn(Recipe):
    """Probability that a customer who still bought lately buys nothing in the coming days."""

    name = "churn"
    title = _("Churn warning")
    description = _("Finds customers who are about to stop buying, while there is still time to call them.")
    # The error of calibration alone would let probabilities pass that tell no more than the average does.
    gate = Gate(
        metric="roc_auc",
        baselines=("recency_rule",),
        margin=0.02,
        also={"ece": ("<=", 0.15), "brier": ("<", "base_rate")},
    )
    score_model: ClassVar[type[ScoreRow]] = ChurnScore
    panel_order = 10
    api_urlconf = "churn.api.urls"
    column: ClassVar[Text] = _("Risk")
    tiers: ClassVar[Mapping[str, Text]] = {tier.value: tier.label for tier in Tier}

    def tier(self, score: float | None) -> str:
        return tier_of(score, thresholds(self.name)).value

    label_sets = (
        LabelTemplate(
            name=_("Left or stayed"),
            subject=Subject.CUSTOMER,
            question=_("Has this customer left?"),
            answers=(Answer("left", _("Has left"), scored=True), Answer("stayed", _("Is still with us"))),
        ),
    )

    def defaults(self) -> dict[str, Any]:
        overrides = {
            key: value for key, value in agent_settings(self.name).items() if key not in NOT_TRAINING
        }
        return {
            "task": "churn",
            "horizon_days": 90,
            "active_days": 365,
            "baselines": ("recency_rule", "base_rate"),
            "backbone": "transformer",
            "epochs": 20,  # a small shop needs them all; a large one stops by itself
            "patience": 4,
            **overrides,
        }

    def score_fields(self, score: float | None, payload: Mapping[str, Any]) -> dict[str, Any]:
        bounds = thresholds(self.name)
        return {"tier": tier_of(score, bounds), "trend": trend_of(score, payload.get("before"), bounds)}

    def customer_panel(self, request: HttpRequest, agent: Agent, customer_id: str) -> Panel | None:
        found = churn_for(agent, customer_id)
        context = {
            "agent": agent,
            "churn": found,
            "percent": percent(found["probability"] or 0),
            "raising": [reason for reason in found["reasons"] if reason["direction"] == "up"],
            "lowering": [reason for reason in found["reasons"] if reason["direction"] == "down"],
            "as_of": as_of(agent),
            "refreshed_at": parse_datetime(found["refreshed_at"] or ""),
        }
        return Panel(self.title, "crm_agents_churn/panel.html", context)

    def customer_summary(self, agent: Agent, customer_id: str) -> dict[str, Any] | None:
        answer = churn_for(agent, customer_id)
        return {key: answer[key] for key in ("probability", "tier", "trend", "missing", "as_of", "version")}

    def customer_cells(self, agent: Agent, customer_ids: list[str]) -> dict[str, Cell]:
        return tier_cells(agent, customer_ids)


def tier_of(score: float | None, bounds: Thresholds) -> Tier:
    """Return the tier of a calibrated probability."""
    if score is None:
        return Tier.UNKNOWN
    if score >= bounds.high:
        return Tier.HIGH
    return Tier.MEDIUM if score >= bounds.medium else Tier.LOW


def trend_of(score: float | None, before: float | None, bounds: Thresholds) -> Trend:
    """Compare a probability with the one that the same model gives 30 days earlier."""
    if score is None or before is None:
        return Trend.UNKNOWN
    change = score - before
    if abs(change) < bounds.trend_step:
        return Trend.STEADY
    return Trend.RISING if change > 0 else Trend.FALLING
