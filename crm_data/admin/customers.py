"""The customer's own data; what the agents say of it stands on a page of its own, linked from here."""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_data.admin.base import FastAdmin, OwnCustomersMixin, searchable
from crm_data.admin.filters import OwnerFilter


class CustomerAdmin(OwnCustomersMixin, FastAdmin):
    customer_path = "pk"
    list_display = ("code", "name", "owner", "country", "since")
    list_display_links = ("code", "name")
    list_filter = (OwnerFilter,)
    list_select_related = ("owner",)
    search_fields = ("code__startswith", "name__icontains", "email__istartswith")
    search_help_text = _("Beginning of the code or e-mail, or a part of the name.")
    fields = ("code", "name", "email", "owner", "since", "country", "attributes")
    export_fields = ("code", "name", "email", "owner__username", "since", "country", "attributes")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        # A host's site may have no page for users; a fixed autocomplete field would fail its checks.
        return ("owner",) if searchable(self.admin_site, get_user_model()) else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": str(request.user.pk), **super().get_changeform_initial_data(request)}
