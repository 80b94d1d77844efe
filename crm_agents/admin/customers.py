"""The customer's page: what the CRM knows and what every agent says, on any admin site.

`customer_urls` belongs into the `get_urls` of a ModelAdmin, before `super()`:

    <site>:crm_agents_customers            the customers whom the user may see
    <site>:crm_agents_customer   (id)      one of them; a foreign one is 404
    <site>:crm_agents_customer_feedback    POST: accepted, dismissed, wrong
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views import View

from crm_agents.admin.customer_list import PAGE_SIZE, columns_of, customers_page
from crm_agents.admin.customer_panels import rendered_panels
from crm_agents.admin.feedback_form import FeedbackForm
from crm_agents.answers import why_left_out
from crm_agents.services.agents import get_agent
from crm_agents.services.feedback import FeedbackRejected, give_feedback
from crm_data import reading
from crm_data.selectors import (
    CustomerNotFound,
    CustomerRecord,
    customer_events,
    get_customer,
    get_source,
    product_records,
)

RECENT = 20
LONGEST_NUMBER = 9  # digits of a page's number; more of them overflow the database's OFFSET


def customer_urls(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    """Return the customers' pages for the site of `model_admin`."""
    from crm_agents.admin.privacy.pages import privacy_urls  # they are views of the same kind

    site = model_admin.admin_site
    return [
        *privacy_urls(model_admin),
        path("customers/", site.admin_view(CustomerList.as_view(site=site)), name="crm_agents_customers"),
        path(
            "customer-feedback/",
            site.admin_view(CustomerFeedback.as_view(site=site)),
            name="crm_agents_customer_feedback",
        ),
        path(
            "customers/<path:customer_id>/",
            site.admin_view(CustomerPage.as_view(site=site)),
            name="crm_agents_customer",
        ),
    ]


def customer_url(site: AdminSite, customer_id: str, tenant: str = "") -> str:
    """Return the address of one customer's page on `site`."""
    query = f"?{urlencode({'tenant': tenant})}" if tenant else ""
    return reverse(f"{site.name}:crm_agents_customer", args=[customer_id]) + query


def host_url(site: AdminSite, request: HttpRequest, customer: CustomerRecord) -> str:
    """Return the address of the host's own page of the customer, "" where `site` has none for the user."""
    mapping = get_source().customers
    model = reading.model_of(mapping.model)
    if not site.is_registered(model) or not site.get_model_admin(model).has_view_permission(request):
        return ""
    native = list(reading.native_keys(model, mapping.key, [customer.id]))
    pk = model._default_manager.filter(**{f"{mapping.key}__in": native}).values_list("pk", flat=True).first()
    return (
        ""
        if pk is None
        else reverse(f"{site.name}:{model._meta.label_lower.replace('.', '_')}_change", args=[pk])
    )


class CustomerView(View):
    """What the customers' pages share: who may come in, and which company they speak of."""

    site: AdminSite = None  # type: ignore[assignment]  # given by `as_view`

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_see_customers(request):
            raise PermissionDenied
        request.current_app = self.site.name
        return super().dispatch(request, *args, **kwargs)

    def tenant(self, values: Any) -> str:
        tenant = str(values.get("tenant", ""))
        if tenant not in set(get_source().tenants()):
            raise Http404(_("There is no tenant %(tenant)r.") % {"tenant": tenant})
        return tenant

    def customer(self, customer_id: str, tenant: str) -> CustomerRecord:
        try:
            return get_customer(self.request.user, customer_id, tenant=tenant)
        except CustomerNotFound as error:
            raise Http404(_("There is no customer %(id)r.") % {"id": customer_id}) from error

    def page(self, template: str, title: str, **context: Any) -> TemplateResponse:
        shared = {**self.site.each_context(self.request), "title": title}
        return TemplateResponse(self.request, template, {**shared, **context})


class CustomerList(CustomerView):
    """The customers whom the user may see, by name, with a column for each agent that brings one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        tenant, query = self.tenant(request.GET), request.GET.get("q", "").replace("\0", "").strip()
        page = customers_page(
            request.user, tenant=tenant, query=query, number=page_number(request.GET.get("p", ""))
        )
        columns = columns_of(page.ids, tenant) if may_see_scores(request) else []
        rows = [
            {
                "id": row_id,
                "name": name,
                "url": customer_url(self.site, row_id, tenant),
                "cells": [column.cells.get(row_id) for column in columns],
            }
            for row_id, name in page.customers
        ]
        return self.page(
            "crm_agents/customers.html",
            _("Customers"),
            crumbs=[],
            rows=rows,
            columns=columns,
            query=query,
            tenant=tenant,
            page=page,
            page_size=PAGE_SIZE,
            privacy_url=self._privacy_url(tenant),
        )

    def _privacy_url(self, tenant: str) -> str:
        if not self.request.user.has_perm("crm_agents.manage_privacy"):
            return ""
        query = f"?{urlencode({'tenant': tenant})}" if tenant else ""
        return reverse(f"{self.site.name}:crm_agents_privacy") + query


class CustomerPage(CustomerView):
    """Everything about one customer: facts, profile, and a block of each agent."""

    def get(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        tenant = self.tenant(request.GET)
        customer = self.customer(customer_id, tenant)
        may_see = may_see_scores(request)
        left_out = why_left_out(tenant, customer.id)
        events = customer_events(customer.id, tenant=tenant, limit=RECENT)
        products = product_records({event.product for event in events if event.product}, tenant=tenant)
        context = {
            "customer": customer,
            "feedback_url": reverse(f"{self.site.name}:crm_agents_customer_feedback"),
            "may_give_feedback": may_see and request.user.has_perm("crm_agents.give_feedback"),
        }
        panels = [] if left_out else rendered_panels(request, tenant, customer.id, context, scores=may_see)
        return self.page(
            "crm_agents/customer.html",
            customer.name or customer.id,
            host_url=host_url(self.site, request, customer),
            crumbs=[(_("Customers"), reverse(f"{self.site.name}:crm_agents_customers"))],
            panels=panels,
            left_out=left_out,
            privacy_url=self._privacy_url(customer),
            attributes=[
                (name.replace("_", " "), attribute_text(value))
                for name, value in customer.attributes.items()
                if value not in (None, "", [])
            ],
            may_see_scores=may_see,
            interactions=[(event, products.get(event.product or "")) for event in events],
            currency=get_source().currency,
            **context,
        )

    def _privacy_url(self, customer: CustomerRecord) -> str:
        """Return where the customer is opted out, exported and erased; "" for who may not."""
        if not self.request.user.has_perm("crm_agents.manage_privacy"):
            return ""
        query = urlencode({"tenant": customer.tenant}) if customer.tenant else ""
        url = reverse(f"{self.site.name}:crm_agents_customer_privacy", args=[customer.id])
        return f"{url}?{query}" if query else url


class CustomerFeedback(CustomerView):
    """Takes what staff say of one score or one recommended product."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if not (may_see_scores(request) and request.user.has_perm("crm_agents.give_feedback")):
            raise PermissionDenied
        tenant = self.tenant(request.POST)
        customer = self.customer(request.POST.get("customer", ""), tenant)
        form = FeedbackForm(request.POST)
        if form.is_valid():
            try:
                self._give(customer, tenant, form)
            except FeedbackRejected as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _("Your feedback is stored."))
        else:
            said = [f"{name}: {error}" for name, errors in form.errors.items() for error in errors]
            messages.error(request, " ".join(said))
        url = customer_url(self.site, customer.id, tenant)
        if form.query:
            url += ("&" if "?" in url else "?") + urlencode(form.query, doseq=True)
        return HttpResponseRedirect(url + form.anchor)

    def _give(self, customer: CustomerRecord, tenant: str, form: FeedbackForm) -> None:
        values = form.cleaned_data
        give_feedback(
            get_agent(values["agent"], tenant=tenant),
            customer_id=customer.id,
            verdict=values["verdict"],
            item=values["item"],
            reason=values["reason"],
            user=self.request.user,
        )


def page_number(text: str) -> int:
    """Return the page that an address asks for: the first where it asks for none that can be."""
    number = int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else 1
    return max(number, 1)


def attribute_text(value: Any) -> str:
    """Write the value of an attribute, which may be a list or a yes or no."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def may_see_customers(request: HttpRequest) -> bool:
    """Tell whether the user may open the customers' pages; which customers is up to the Source."""
    app, model = get_source().customers.model.lower().split(".")
    return request.user.has_perm(f"{app}.view_{model}") or may_see_scores(request)


def may_see_scores(request: HttpRequest) -> bool:
    return request.user.has_perm("crm_agents.view_scores")
