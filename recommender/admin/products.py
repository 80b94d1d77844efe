"""The product's page: whom to call about it, what replaces it, what is bought with it; on any admin site.

admin:crm_agents_recommender_products         the products, to search
admin:crm_agents_recommender_product   (id)   one of them; `?export=csv` gives its customers as a file
"""

import csv
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.admin.customer_list import columns_of
from crm_agents.admin.customers import (
    CustomerView,
    customer_url,
    may_see_scores,
    page_number,
)
from crm_agents.answers import as_of
from crm_agents.models import Agent
from crm_agents.services.agents import get_agent
from crm_agents.words import joined
from crm_data import reading
from crm_data.admin.export import Echo, as_text, guarded
from crm_data.selectors import ProductRecord, get_source
from recommender.products.callers import CALLERS, MOST_CALLERS, callers_for
from recommender.products.found import PAGE_SIZE, ProductNotFound, find_product, search_products
from recommender.products.related import bundles_for, substitutes_for


def product_urls(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    """Return the products' pages for the site of `model_admin`."""
    site = model_admin.admin_site
    return [
        path(
            "products/",
            site.admin_view(ProductList.as_view(site=site)),
            name="crm_agents_recommender_products",
        ),
        path(
            "products/<path:product_id>/",
            site.admin_view(ProductPage.as_view(site=site)),
            name="crm_agents_recommender_product",
        ),
    ]


def product_url(site: AdminSite, product_id: str, tenant: str = "") -> str:
    """Return the address of one product's page on `site`."""
    url = reverse("admin:crm_agents_recommender_product", args=[product_id], current_app=site.name)
    return url + _query(tenant)


class ProductView(CustomerView):
    """What the products' pages share: who may come in, and where they lie."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_see_scores(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:crm_agents_recommender_{name}", args=args, current_app=self.site.name)


class ProductList(ProductView):
    """The products by name, or those that are searched for."""

    def get(self, request: HttpRequest) -> HttpResponse:
        tenant, query = self.tenant(request.GET), request.GET.get("q", "").replace("\0", "").strip()
        number = page_number(request.GET.get("p", ""))
        found, more = search_products(tenant, query, number)
        return self.page(
            "crm_agents_recommender/products.html",
            _("Products"),
            crumbs=[(_("Recommendations"), self.url("recommendationset_changelist"))],
            rows=[(product_url(self.site, key, tenant), key, name, of) for key, name, of in found],
            query=query,
            tenant=tenant,
            number=number,
            previous=number - 1,
            next=number + 1 if more else 0,
            page_size=PAGE_SIZE,
        )


class ProductPage(ProductView):
    """Everything about one product, or its callers as a file."""

    def get(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        tenant = self.tenant(request.GET)
        agent = get_agent("recommender", tenant=tenant)
        try:
            product = find_product(agent, product_id)
        except ProductNotFound as error:
            raise Http404(_("There is no product %(id)r.") % {"id": product_id}) from error
        if request.GET.get("export") == "csv":
            return self._csv(agent, product)
        callers = callers_for(agent, request.user, product, limit=CALLERS)
        ids = [item["customer_id"] for item in callers["items"]]
        columns = columns_of(ids, tenant)
        for item in callers["items"]:
            item["url"] = customer_url(self.site, item["customer_id"], tenant)
            item["cells"] = [
                {"title": column.title, "cell": column.cells.get(item["customer_id"])} for column in columns
            ]
        return self.page(
            "crm_agents_recommender/product.html",
            product.name or product.id,
            crumbs=[
                (_("Recommendations"), self.url("recommendationset_changelist")),
                (_("Products"), self.url("products") + _query(tenant)),
            ],
            product=product,
            callers=callers,
            columns=columns,
            substitutes=self._linked(substitutes_for(agent, product), tenant),
            bundles=self._linked(bundles_for(agent, product), tenant),
            as_of=as_of(agent),
            currency=get_source().currency,
            host_url=self._host_url(product),
            export_url=f"?{urlencode({'export': 'csv', **({'tenant': tenant} if tenant else {})})}",
        )

    def _linked(self, answer: dict[str, Any], tenant: str) -> dict[str, Any]:
        for item in answer["items"]:
            item["url"] = product_url(self.site, item["product"], tenant)
        return answer

    def _csv(self, agent: Agent, product: ProductRecord) -> HttpResponseBase:
        """Give the customers as a file; where there are none, it says why."""
        answer = callers_for(agent, self.request.user, product, limit=MOST_CALLERS)
        writer = csv.writer(Echo())
        rows = (writer.writerow([guarded(as_text(each)) for each in row]) for row in _lines(product, answer))
        # The byte order mark tells spreadsheets that this is UTF-8.
        name = f"callers-{timezone.localdate():%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            _marked(rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _host_url(self, product: ProductRecord) -> str:
        """Return the address of the host's own page of the product, "" where there is none for the user."""
        mapping = get_source().products
        if mapping is None:
            return ""
        model = reading.model_of(mapping.model)
        if not self.site.is_registered(model):
            return ""
        if not self.site.get_model_admin(model).has_view_permission(self.request):
            return ""
        native = list(reading.native_keys(model, mapping.key, [product.id]))
        pk = (
            model._default_manager.filter(**{f"{mapping.key}__in": native})
            .values_list("pk", flat=True)
            .first()
        )
        name = model._meta.label_lower.replace(".", "_")
        return "" if pk is None else reverse(f"{self.site.name}:{name}_change", args=[pk])


def _lines(product: ProductRecord, answer: dict[str, Any]) -> Iterator[list[Any]]:
    yield [
        _("product number"),
        _("product"),
        _("customer number"),
        _("customer"),
        _("sales rep"),
        _("chance"),
        _("expected value"),
        _("reasons"),
        _("note"),
    ]
    for item in answer["items"] or [{}]:
        yield [
            product.id,
            product.name,
            item.get("customer_id", ""),
            item.get("name", ""),
            ", ".join(item.get("owners", [])),
            item.get("chance"),
            item.get("value"),
            joined(reason["text"] for reason in item.get("reasons", [])),
            answer["note"],
        ]


def _marked(rows: Iterator[str]) -> Iterator[str]:
    yield "\ufeff"
    yield from rows


def _query(tenant: str) -> str:
    return f"?{urlencode({'tenant': tenant})}" if tenant else ""
