"""The blocks of the customer's page: one of each provider, one of each agent, in their order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from crm_agents.recipes import Panel, Text, providers, recipes
from crm_agents.services.agents import get_agent


@dataclass(frozen=True)
class RenderedPanel:
    """A block ready for the page; `name` makes its anchor."""

    name: str
    title: Text
    html: str


def rendered_panels(
    request: HttpRequest, tenant: str, customer_id: str, context: Mapping[str, Any], *, scores: bool
) -> list[RenderedPanel]:
    """Render every block; those of agents only with `scores`, the permission to see them."""
    found = [*_provided(request, tenant, customer_id)]
    if scores:
        found += _of_agents(request, tenant, customer_id)
    ordered = sorted(found, key=lambda entry: entry[0])
    return [
        RenderedPanel(
            name, panel.title, render_to_string(panel.template, {**context, **panel.context}, request)
        )
        for _, name, panel in ordered
    ]


def _provided(request: HttpRequest, tenant: str, customer_id: str) -> Iterator[tuple[int, str, Panel]]:
    for provider in providers():
        panel = provider.customer_panel(request, tenant, customer_id)
        if panel is not None:
            yield provider.panel_order, provider.name, panel


def _of_agents(request: HttpRequest, tenant: str, customer_id: str) -> Iterator[tuple[int, str, Panel]]:
    for recipe in recipes():
        panel = recipe.customer_panel(request, get_agent(recipe.name, tenant=tenant), customer_id)
        if panel is not None:
            yield recipe.panel_order, recipe.name, panel
