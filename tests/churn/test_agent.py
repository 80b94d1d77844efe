from typing import Any

import pytest

from churn.agent import Churn, tier_of, trend_of
from churn.conf import Thresholds
from churn.models import Tier, Trend
from crm_agents.recipes import get_recipe, training_config
from handoff.config import Minimum
from handoff.errors import HandoffError

BOUNDS = Thresholds(high=0.7, medium=0.4, trend_step=0.1)


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (0.7, Tier.HIGH),
        (0.699, Tier.MEDIUM),
        (0.4, Tier.MEDIUM),
        (0.399, Tier.LOW),
        (0.0, Tier.LOW),
        (None, Tier.UNKNOWN),
    ],
)
def test_the_tier_follows_the_probability(score: float | None, tier: Tier) -> None:
    assert tier_of(score, BOUNDS) == tier


@pytest.mark.parametrize(
    ("score", "before", "trend"),
    [
        (0.5, 0.375, Trend.RISING),
        (0.5, 0.45, Trend.STEADY),
        (0.5, 0.5, Trend.STEADY),
        (0.25, 0.5, Trend.FALLING),
        (0.5, None, Trend.UNKNOWN),
        (None, 0.5, Trend.UNKNOWN),
    ],
)
def test_the_trend_compares_with_thirty_days_before(
    score: float | None, before: float | None, trend: Trend
) -> None:
    assert trend_of(score, before, BOUNDS) == trend


def test_churn_is_by_default_no_purchase_in_ninety_days() -> None:
    config = training_config(Churn(), dataset="one")
    assert (config.task, config.horizon_days, config.active_days) == ("churn", 90, 365)
    assert config.outcome_kinds == ("purchase",)
    assert config.baselines == ("recency_rule", "base_rate")


def test_the_integrator_defines_churn(settings: Any) -> None:
    mine = {
        "horizon_days": 30,
        "active_days": 180,
        "outcome_kinds": ["renewal"],
        "minimum": {"customers": 5, "purchases": 10, "days": 60},
        "tiers": {"high": 0.9},
    }
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": {"churn": mine}}
    config = training_config(Churn(), dataset="one")
    assert (config.horizon_days, config.active_days, config.outcome_kinds) == (30, 180, ("renewal",))
    assert config.minimum == Minimum(customers=5, purchases=10, days=60)
    assert Churn().score_fields(0.85, {}) == {"tier": Tier.MEDIUM, "trend": Trend.UNKNOWN}


def test_a_setting_that_does_not_exist_is_refused(settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": {"churn": {"horizon": 30}}}
    with pytest.raises(HandoffError, match=r"^Unknown setting horizon; known are "):
        training_config(Churn(), dataset="one")


def test_the_recipe_is_registered_and_gated_against_the_recency_rule() -> None:
    recipe = get_recipe("churn")
    assert isinstance(recipe, Churn)
    assert (recipe.gate.metric, recipe.gate.baselines) == ("roc_auc", ("recency_rule",))
    assert (recipe.gate.margin, recipe.gate.sure) == (0.02, False)
    assert dict(recipe.gate.also) == {"ece": ("<=", 0.15), "brier": ("<", "base_rate")}
    measured = set(training_config(recipe, dataset="one").baselines)
    assert {*recipe.gate.baselines, "base_rate"} <= measured
