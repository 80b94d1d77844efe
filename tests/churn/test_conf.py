from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from churn.conf import Thresholds, thresholds


def configure(settings: Any, churn: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": {"churn": churn}}


def test_without_settings_the_documented_defaults_hold() -> None:
    assert thresholds() == Thresholds(high=0.7, medium=0.4, trend_step=0.1)


def test_the_integrator_moves_the_tiers(settings: Any) -> None:
    configure(settings, {"tiers": {"high": 0.8}, "trend_step": 0.05})
    assert thresholds() == Thresholds(high=0.8, medium=0.4, trend_step=0.05)


@pytest.mark.parametrize(
    ("churn", "message"),
    [
        (
            {"tiers": {"highest": 0.9}},
            'CRM_AGENTS["AGENTS"]["churn"]["tiers"] has [\'highest\']; the tiers are "high" and "medium".',
        ),
        (
            {"tiers": {"high": 70}},
            'CRM_AGENTS["AGENTS"]["churn"]["tiers"]["high"] is 70; it must be a number between 0 and 1.',
        ),
        (
            {"trend_step": "much"},
            'CRM_AGENTS["AGENTS"]["churn"]["trend_step"] is \'much\'; it must be a number between 0 and 1.',
        ),
        (
            {"tiers": {"high": 0.3}},
            'CRM_AGENTS["AGENTS"]["churn"]["tiers"] has medium 0.4 and high 0.3; medium must be the lower.',
        ),
        (
            {"tiers": [0.7, 0.4]},
            'CRM_AGENTS["AGENTS"]["churn"]["tiers"] is [0.7, 0.4]; write {"high": 0.7, "medium": 0.4}.',
        ),
        (["tiers"], 'CRM_AGENTS["AGENTS"]["churn"] is [\'tiers\']; it must be a dictionary of settings.'),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(settings: Any, churn: Any, message: str) -> None:
    configure(settings, churn)
    with pytest.raises(ImproperlyConfigured) as raised:
        thresholds()
    assert str(raised.value) == message
