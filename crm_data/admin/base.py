"""What the pages of the built-in tables have in common."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from crm_data.admin.export import ExportMixin
from crm_data.admin.paging import RoughPaginator
from crm_data.builtin import BuiltInSource
from crm_data.models import Customer
from crm_data.selectors import AnyUser, get_source


class FastAdmin(ExportMixin):
    """A list of which no page counts or joins more than it shows."""

    paginator = RoughPaginator
    show_full_result_count = False
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model:
        """Return the row. Raises Http404 for one that is not there or that the user may not see."""
        found: Model | None = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found


class ReadOnlyAdmin(FastAdmin):
    """Pages of what the software writes and people only read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OwnCustomersMixin:
    """Limits rows to the customers that the Source lets the user see. `customer_path` leads to them."""

    customer_path: ClassVar[str] = "customer"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        visible = own_customers(request.user)
        return rows if visible is None else rows.filter(**{f"{self.customer_path}__in": visible.values("pk")})


def own_customers(user: AnyUser) -> QuerySet[Customer] | None:
    """Return the built-in customers that `user` may see, or None where that is every one."""
    source = get_source()
    if source.customers.model.lower() != Customer._meta.label_lower:
        source = BuiltInSource()
    every = Customer.objects.all()
    visible = source.visible_to(user, every)
    return None if visible is every else visible


def searchable(site: admin.AdminSite, model: type[Model]) -> bool:
    """Whether `site` has a page for `model` that can be searched, as autocomplete needs."""
    return site.is_registered(model) and bool(site.get_model_admin(model).search_fields)
