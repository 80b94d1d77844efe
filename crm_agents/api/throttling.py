"""How often one user may call. Rates are DRF's own setting, by the scopes named here.

Counts are kept in Django's default cache; give several web processes a shared one.
"""

from typing import Any

from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle

RATES = {"crm_agents.read": "1200/min", "crm_agents.write": "120/min", "crm_agents.runs": "30/min"}


class ScopeThrottle(ScopedRateThrottle):
    """Limit by the view's `throttle_scopes`: reads apart from writes, so that neither starves the other."""

    scope_attr = "throttle_scope"

    def get_rate(self) -> str | None:
        configured: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        rate: str | None = {**RATES, **configured}[str(self.scope)]
        return rate
