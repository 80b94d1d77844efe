"""Dated events: a list of millions, found by what is indexed."""

from typing import TYPE_CHECKING, Any

from django.contrib.admin import display
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Q, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_data import news
from crm_data.admin.base import FastAdmin, OwnCustomersMixin, own_customers
from crm_data.admin.filters import KindFilter
from crm_data.models import Customer, Interaction, InteractionKind, Product
from crm_data.reading import UnknownCurrency, rate
from crm_data.selectors import get_source
from crm_data.suppression import erased_message, standing

if TYPE_CHECKING:
    AnyInteractionForm = ModelForm[Interaction]
else:
    AnyInteractionForm = ModelForm


class InteractionForm(AnyInteractionForm):
    def clean_currency(self) -> str:
        """Refuse a currency without a rate: one such row would stop every snapshot."""
        currency: str = self.cleaned_data["currency"]
        try:
            rate(get_source(), currency)
        except UnknownCurrency as error:
            raise ValidationError(str(error)) from error
        return currency

    def clean_customer(self) -> Customer:
        """Refuse what would be new of a customer who was erased."""
        customer: Customer = self.cleaned_data["customer"]
        if self.initial.get("customer") != customer.pk and standing(customer.code).erasure is not None:
            raise ValidationError(erased_message())
        return customer


class InteractionAdmin(OwnCustomersMixin, FastAdmin):
    form = InteractionForm
    list_display = ("at", "kind_shown", "customer", "product", "quantity", "amount", "currency", "basket")
    list_filter = (KindFilter, "at")
    sortable_by = ("at",)  # what an index orders
    list_select_related = ("customer", "product")
    ordering = ("-at", "-id")
    autocomplete_fields = ("customer", "product")
    search_fields = ("customer__code__exact", "product__code__exact", "basket__exact")
    search_help_text = _("Exact customer code, product code or invoice number.")
    readonly_fields = ("changed_at",)
    export_fields = (
        "at",
        "kind",
        "customer__code",
        "customer__name",
        "product__code",
        "product__name",
        "quantity",
        "amount",
        "currency",
        "basket",
        "channel",
        "text",
    )

    def save_model(self, request: HttpRequest, obj: Interaction, form: Any, change: bool) -> None:
        before = Customer.objects.filter(interactions=obj.pk).values_list("code", flat=True)
        customers = {*(before if change else ()), obj.customer.code}
        super().save_model(request, obj, form, change)
        news.tell(customers)

    def delete_model(self, request: HttpRequest, obj: Interaction) -> None:
        super().delete_model(request, obj)
        news.tell([obj.customer.code])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Interaction]) -> None:
        customers = set(queryset.order_by().values_list("customer__code", flat=True))
        super().delete_queryset(request, queryset)
        news.tell(customers)

    @display(description=_("kind"))
    def kind_shown(self, interaction: Interaction) -> str:
        return InteractionKind.label_of(interaction.kind)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Interaction], search_term: str
    ) -> tuple[QuerySet[Interaction], bool]:
        """Find by one exact code. Codes become keys first: over the joins no index could be used."""
        term = search_term.strip()
        if not term:
            return queryset, False
        customers = list(Customer.objects.filter(code=term).values_list("pk", flat=True))
        products = list(Product.objects.filter(code__in={term, term.upper()}).values_list("pk", flat=True))
        return queryset.filter(Q(basket=term) | Q(customer__in=customers) | Q(product__in=products)), False

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        visible = own_customers(request.user)
        if db_field.name == "customer" and visible is not None:
            kwargs["queryset"] = visible
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
