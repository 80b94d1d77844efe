"""The integrator's definition of churn: `settings.CRM_AGENTS["AGENTS"]["churn"]`.

    "churn": {
        "horizon_days": 90,               # churn is no purchase within so many days …
        "active_days": 365,               # … by a customer who bought within so many days before
        "outcome_kinds": ["purchase"],    # the kinds of interaction that count as a purchase
        "tiers": {"high": 0.7, "medium": 0.4},  # lowest probability of each tier
        "trend_step": 0.1,                # change of probability in 30 days that counts as a trend
    }

Any other value of `handoff.config.TrainingConfig` may stand here too. New tiers hold from the next scoring.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from crm_agents.conf import agent_settings

NOT_TRAINING = ("tiers", "trend_step")
_PLACE = 'CRM_AGENTS["AGENTS"]["churn"]'


@dataclass(frozen=True)
class Thresholds:
    """Where the tiers begin and what counts as a trend, all probabilities."""

    high: float = 0.7
    medium: float = 0.4
    trend_step: float = 0.1


def thresholds(agent: str = "churn") -> Thresholds:
    """Return the configured thresholds. Raises ImproperlyConfigured naming the value that is wrong."""
    values = agent_settings(agent)
    tiers = values.get("tiers", {})
    if not isinstance(tiers, Mapping):
        raise ImproperlyConfigured(f'{_PLACE}["tiers"] is {tiers!r}; write {{"high": 0.7, "medium": 0.4}}.')
    unknown = sorted(set(tiers) - {"high", "medium"})
    if unknown:
        raise ImproperlyConfigured(f'{_PLACE}["tiers"] has {unknown}; the tiers are "high" and "medium".')
    found = Thresholds(
        high=_share(tiers.get("high", Thresholds.high), "tiers", "high"),
        medium=_share(tiers.get("medium", Thresholds.medium), "tiers", "medium"),
        trend_step=_share(values.get("trend_step", Thresholds.trend_step), "trend_step"),
    )
    if found.medium >= found.high:
        raise ImproperlyConfigured(
            f'{_PLACE}["tiers"] has medium {found.medium} and high {found.high}; medium must be the lower.'
        )
    return found


def _share(value: Any, *keys: str) -> float:
    if isinstance(value, int | float) and 0 < value < 1:
        return float(value)
    place = _PLACE + "".join(f'["{key}"]' for key in keys)
    raise ImproperlyConfigured(f"{place} is {value!r}; it must be a number between 0 and 1.")
