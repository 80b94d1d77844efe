"""The form on the customer's page that narrows or reorders the list; a GET, so that it can be kept."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from recommender.choosing.wish import CHANCE, SHOWN, VALUE, Wish
from recommender.suggesting import Suggesting, categories

PREFIX = "rec"  # of the parameters, so that they meet no other's on the page
MOST_ITEMS = 20
MOST_DAYS = 3650


def _number(**attrs: Any) -> forms.NumberInput:
    return forms.NumberInput(attrs=attrs)


class WishForm(forms.Form):
    """What a reader asks of the list. `wish` is the plain one where nothing is asked, or something wrong."""

    category = forms.CharField(label=gettext_lazy("Category"), max_length=200, required=False)
    price_min = forms.FloatField(
        label=gettext_lazy("Price from"), min_value=0, required=False, widget=_number(step="any", min=0)
    )
    price_max = forms.FloatField(
        label=gettext_lazy("Price up to"), min_value=0, required=False, widget=_number(step="any", min=0)
    )
    not_bought_days = forms.IntegerField(
        label=gettext_lazy("Not bought in the last (days)"),
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Sorted by"),
        choices=[
            (CHANCE, gettext_lazy("chance")),
            (VALUE, pgettext_lazy("order of recommendations", "expected value")),
        ],
        required=False,
    )
    diversity = forms.FloatField(
        label=gettext_lazy("Variety (0 to 1)"),
        min_value=0,
        max_value=1,
        required=False,
        widget=_number(step="0.1", min=0, max=1),
    )
    limit = forms.IntegerField(
        label=gettext_lazy("Products"), min_value=1, max_value=MOST_ITEMS, required=False
    )
    in_stock = forms.BooleanField(label=gettext_lazy("In stock only"), required=False)

    def __init__(self, query: Mapping[str, Any], *, tenant: str) -> None:
        asked = any(name.startswith(f"{PREFIX}-") for name in query)
        super().__init__(query if asked else None, prefix=PREFIX)
        self.fields["category"].widget = Suggesting(lambda: categories(tenant))
        self.fields["limit"].widget.attrs["placeholder"] = SHOWN

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        low, high = cleaned.get("price_min"), cleaned.get("price_max")
        if low is not None and high is not None and low > high:
            text = _("This is below the lowest price, %(low)g; give a higher one.")
            self.add_error("price_max", text % {"low": low})
        return cleaned

    @property
    def wish(self) -> Wish:
        if not (self.is_bound and self.is_valid()):
            return Wish()
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        return Wish(**given)

    @property
    def used(self) -> bool:
        """Whether the list is not the plain one, or something that was asked is wrong."""
        return self.is_bound and (bool(self.errors) or self.wish != Wish())
