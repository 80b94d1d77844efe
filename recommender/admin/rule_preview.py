"""One customer's list without and with the rules of today, or with a rule that is still being typed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from crm_agents.admin.customers import customer_url
from crm_agents.services.agents import get_agent
from crm_data.selectors import CustomerNotFound, get_customer, get_source
from recommender.conf import NAME
from recommender.models import RecommendationRule
from recommender.selectors import preview

if TYPE_CHECKING:
    from recommender.admin.rules import RuleAdmin

BY_RULES = ("pinned", "moved_up", "moved_down")


@dataclass(frozen=True)
class Draft:
    """A rule as somebody typed it, and what keeps it from being one."""

    rule: RecommendationRule
    form: "forms.ModelForm[Any]"
    errors: list[str]


def preview_page(admin: "RuleAdmin", request: HttpRequest) -> HttpResponse:
    """Ask for a customer, and show what the rules make of this one's list; POST sends a rule's form along."""
    if not (admin.has_view_permission(request) and request.user.has_perm("crm_agents.view_scores")):
        raise PermissionDenied
    draft = _draft(admin, request) if request.method == "POST" else None
    asked = request.GET if draft is None else request.POST
    wanted = asked.get("customer", "").replace("\0", "").strip()
    tenants = list(get_source().tenants())
    tenant = asked.get("tenant", tenants[0])
    tenant = tenant if tenant in tenants else tenants[0]
    context: dict[str, Any] = {
        "wanted": wanted,
        "tenant": tenant,
        "tenants": tenants if any(tenants) else [],
        "draft": draft,
    }
    if wanted and not (draft and draft.errors):
        context |= _lists(admin, request, wanted, tenant, draft)
    return admin.page(request, "crm_agents_recommender/rule_preview.html", title=_("Preview"), **context)


def _draft(admin: "RuleAdmin", request: HttpRequest) -> Draft:
    """Read the rule as it would be saved. Raises PermissionDenied for who may not make rules."""
    if not admin.has_change_permission(request):
        raise PermissionDenied
    number = request.POST.get("rule", "")
    saved = admin.get_object(request, number) if number else None
    if saved is None:
        saved = RecommendationRule()
    with transaction.atomic():  # the service locks the tenant's rules while it looks
        form = admin.get_form(request, change=saved.pk is not None)(request.POST, instance=saved)
        form.is_valid()
    labels = {name: str(field.label) for name, field in form.fields.items()}
    errors = [
        f"{labels[name]}: {text}" if name in labels else str(text)
        for name, texts in form.errors.items()
        for text in texts
    ]
    return Draft(form.instance, form, errors)


def _lists(
    admin: "RuleAdmin", request: HttpRequest, customer_id: str, tenant: str, draft: Draft | None
) -> dict[str, Any]:
    try:
        customer = get_customer(request.user, customer_id, tenant=tenant)
    except CustomerNotFound:
        text = _("There is no customer %(id)r whom you may see; give another number.")
        return {"error": text % {"id": customer_id}}
    before, after = preview(get_agent(NAME, tenant=tenant), customer.id, draft=draft.rule if draft else None)
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
