"""The integrator's settings of recommendations: `settings.CRM_AGENTS["AGENTS"]["recommender"]`.

    "recommender": {
        "diversity": 0.2,  # 0 lists by chance alone, 1 makes the list as mixed as it can be
    }

Any other value of `handoff.config.TrainingConfig` may stand here too.
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from crm_agents.conf import agent_settings

NAME = "recommender"


def default_diversity() -> float:
    """Return the diversity of a list that asks for none. Raises ImproperlyConfigured."""
    value = agent_settings(NAME).get("diversity", 0.0)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ImproperlyConfigured(
        f'CRM_AGENTS["AGENTS"]["{NAME}"]["diversity"] is {value!r}; it must be a number from 0 to 1.'
    )


def training_settings() -> dict[str, Any]:
    """Return what of the settings speaks of training. Raises ImproperlyConfigured where the rest is wrong."""
    default_diversity()
    return {key: value for key, value in agent_settings(NAME).items() if key != "diversity"}
