"""The recommender's block of the customer's page: the list, and the form that narrows or reorders it."""

from typing import Any

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from crm_agents.answers import as_of
from crm_agents.models import Agent
from recommender.choosing.form import WishForm
from recommender.choosing.value import MARGIN
from recommender.choosing.wish import VALUE
from recommender.selectors import recommendations_for


def panel_context(request: HttpRequest, agent: Agent, customer_id: str) -> dict[str, Any]:
    """Return what `crm_agents_recommender/panel.html` shows."""
    form = WishForm(request.GET, tenant=agent.tenant)
    found = recommendations_for(agent, customer_id, wish=form.wish)
    return {
        "agent": agent,
        "recommendations": found,
        "items": found["items"],
        "form": form,
        "value_label": _value_label(found),
        "as_of": as_of(agent),
        "refreshed_at": parse_datetime(found["refreshed_at"] or ""),
        "currency": found["currency"],
    }


def _value_label(found: dict[str, Any]) -> str:
    """Head the column of values, in a list that is sorted by them."""
    if found["order"] != VALUE or not found["value_of"]:
        return ""
    text = (
        _("Chance × margin (%(currency)s)")
        if found["value_of"] == MARGIN
        else _("Chance × price (%(currency)s)")
    )
    return text % {"currency": found["currency"]}
