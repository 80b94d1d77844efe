"""The block of the customer's page that shows the profile."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_agents.recipes import Panel, PanelProvider
from profiling.selectors import customer_traits
from profiling.wording import trait_words


class Profile(PanelProvider):
    """Recency, frequency, money, rhythm and favourites."""

    name = "profile"
    panel_order = 0

    def customer_panel(self, request: HttpRequest, tenant: str, customer_id: str) -> Panel | None:
        traits = customer_traits(customer_id, tenant=tenant)
        context = {"traits": traits, "words": trait_words(traits)}
        return Panel(_("Profile"), "crm_agents_profiling/panel.html", context)

    def customer_summary(self, tenant: str, customer_id: str) -> dict[str, Any] | None:
        return customer_traits(customer_id, tenant=tenant).as_json()
