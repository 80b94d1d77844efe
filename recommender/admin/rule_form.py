"""The form of a rule."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm_data.choices import attribute_names
from crm_data.selectors import get_source
from recommender.models import RecommendationRule
from recommender.services.rules import refusals
from recommender.suggesting import Suggesting, categories

if TYPE_CHECKING:
    AnyRuleForm = forms.ModelForm[RecommendationRule]
else:
    AnyRuleForm = forms.ModelForm


class RuleForm(AnyRuleForm):
    """One rule; what cannot be is said at its field."""

    class Meta:
        model = RecommendationRule
        fields = (
            *("tenant", "action", "product", "category", "strength", "at_most"),
            *("attribute", "value", "starts", "ends", "active", "note"),
        )
        help_texts = {"attribute": _("Name of an attribute, as the customer's page has it; empty for all.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = list(get_source().tenants())
        if "tenant" in self.fields:
            self.fields["tenant"] = forms.ChoiceField(
                label=_("Tenant"), choices=[(name, name or "–") for name in tenants], required=any(tenants)
            )
        tenant = self.instance.tenant or tenants[0]
        if "category" in self.fields:
            self.fields["category"].widget = Suggesting(lambda: categories(tenant))
            self.fields["attribute"].widget = Suggesting(lambda: attribute_names(tenant=tenant))

    def _post_clean(self) -> None:
        """Ask the service, which also knows the other rules; the admin has opened a transaction."""
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, without a type
        if self.errors:
            return
        for refusal in refusals(self.instance):
            self.add_error(refusal.field if refusal.field in self.fields else None, refusal.message)
