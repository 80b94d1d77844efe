"""What an annotator sees of an item: the text, the customer's facts and the last interactions.

Never what the agent under test says of the customer: an answer that is suggested is no evidence.
"""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from crm_agents.admin.customer_panels import rendered_panels
from crm_agents.admin.customers import attribute_text, customer_url, may_see_customers
from crm_agents.models import Annotation, LabelItem
from crm_data.selectors import CustomerNotFound, customer_events, get_customer, get_source, product_records

RECENT = 8


def item_context(
    site: AdminSite, request: HttpRequest, item: LabelItem, *, own: Annotation | None = None
) -> dict[str, Any]:
    """Return what the template of an item needs; `own` is what the user said of it before."""
    return {
        "item": item,
        "label_set": item.label_set,
        "choices": item.label_set.choices,
        "many": len(item.label_set.choices) > 9,
        "own": own,
        **(_customer(site, request, item) if item.customer_id else {}),
    }


def _customer(site: AdminSite, request: HttpRequest, item: LabelItem) -> dict[str, Any]:
    tenant = item.label_set.agent.tenant
    try:
        customer = get_customer(request.user, item.customer_id, tenant=tenant)
    except CustomerNotFound:
        return {"gone": True}
    events = customer_events(customer.id, tenant=tenant, limit=RECENT)
    products = product_records({event.product for event in events if event.product}, tenant=tenant)
    return {
        "customer": customer,
        "customer_url": customer_url(site, customer.id, tenant) if may_see_customers(request) else "",
        "attributes": [
            (name.replace("_", " "), attribute_text(value))
            for name, value in customer.attributes.items()
            if value not in (None, "", [])
        ],
        "panels": rendered_panels(request, tenant, customer.id, {"customer": customer}, scores=False),
        "interactions": [(event, products.get(event.product or "")) for event in events],
        "currency": get_source().currency,
    }
