"""The integrator's settings of one agent: `settings.CRM_AGENTS["AGENTS"][name]`."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from crm_data.conf import setting


def agent_settings(name: str) -> dict[str, Any]:
    """Return the overrides of one recipe. Raises ImproperlyConfigured when they are no mapping."""
    values = setting("AGENTS").get(name, {})
    if not isinstance(values, Mapping):
        raise ImproperlyConfigured(
            f'CRM_AGENTS["AGENTS"]["{name}"] is {values!r}; it must be a dictionary of settings.'
        )
    return dict(values)
