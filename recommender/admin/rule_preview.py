"""One customer's list without and with the rules of today, beside each other."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from crm_agents.admin.customers import customer_url
from crm_agents.services.agents import get_agent
from crm_data.selectors import CustomerNotFound, get_customer, get_source
from recommender.conf import NAME
from recommender.selectors import preview

if TYPE_CHECKING:
    from recommender.admin.rules import RuleAdmin

BY_RULES = ("pinned", "moved_up", "moved_down")


def preview_page(admin: "RuleAdmin", request: HttpRequest) -> HttpResponse:
    """Ask for a customer, and show what the rules make of this one's list."""
    if not (admin.has_view_permission(request) and request.user.has_perm("crm_agents.view_scores")):
        raise PermissionDenied
    wanted = request.GET.get("customer", "").replace("\0", "").strip()
    tenants = list(get_source().tenants())
    tenant = request.GET.get("tenant", tenants[0])
    context: dict[str, Any] = {"wanted": wanted, "tenant": tenant, "tenants": tenants if any(tenants) else []}
    if wanted:
        context |= _lists(admin, request, wanted, tenant if tenant in tenants else tenants[0])
    return admin.page(request, "crm_agents_recommender/rule_preview.html", title=_("Preview"), **context)


def _lists(admin: "RuleAdmin", request: HttpRequest, customer_id: str, tenant: str) -> dict[str, Any]:
    try:
        customer = get_customer(request.user, customer_id, tenant=tenant)
    except CustomerNotFound:
        text = _("There is no customer %(id)r whom you may see; give another number.")
        return {"error": text % {"id": customer_id}}
    before, after = preview(get_agent(NAME, tenant=tenant), customer.id)
    ranks = {item["product"]: rank for rank, item in enumerate(before["items"], start=1)}
    shown = {item["product"] for item in after["items"]}
    return {
        "customer": customer,
        "customer_url": customer_url(admin.admin_site, customer.id, tenant),
        "before": [{**item, "gone": item["product"] not in shown} for item in before["items"]],
        "after": [
            {
                **item,
                "was": ranks.get(item["product"]),
                "moved": ranks.get(item["product"]) != rank,
                "by": [reason["text"] for reason in item["reasons"] if reason["code"] in BY_RULES],
            }
            for rank, item in enumerate(after["items"], start=1)
        ],
        "note": after["note"],
    }
