"""Links to the agents' pages, for the templates of any admin site."""

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from crm_agents.admin.customers import may_see_customers

register = template.Library()


@register.simple_tag(takes_context=True)
def customers_url(context: template.Context) -> str:
    """Return the address of the customers' list on this site, "" where there is none for the user."""
    request: Any = context.get("request")
    if request is None or not may_see_customers(request):
        return ""
    try:
        return reverse("admin:crm_agents_customers", current_app=getattr(request, "current_app", None))
    except NoReverseMatch:
        return ""
