"""The customer's own data; what the agents say of it stands on a page of its own, linked from here."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_data.admin.base import FastAdmin, OwnCustomersMixin, searchable
from crm_data.admin.filters import OwnerFilter
from crm_data.models import Customer
from crm_data.suppression import erased_message, standing

if TYPE_CHECKING:
    AnyCustomerForm = ModelForm[Customer]
else:
    AnyCustomerForm = ModelForm


class CustomerForm(AnyCustomerForm):
    def clean_code(self) -> str:
        """Refuse the code of a customer who was erased."""
        code: str = self.cleaned_data["code"]
        if code != self.initial.get("code") and standing(code).erasure is not None:
            raise ValidationError(erased_message())
        return code


class CustomerAdmin(OwnCustomersMixin, FastAdmin):
    form = CustomerForm
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
