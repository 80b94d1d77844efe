"""The shape of an answer, as `recommender.selectors` gives it, and what may be asked of it."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from crm_agents.api.serializers import GivenFeedbackSerializer, RefreshedAtField
from crm_agents.api.validation import FiniteFloatField, StrictSerializer
from recommender.choosing.form import MOST_DAYS, MOST_ITEMS
from recommender.choosing.wish import ORDERS, SHOWN, Wish


class RecommendationsQuery(StrictSerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_ITEMS, default=SHOWN, help_text="Products at most, best first."
    )
    category = serializers.CharField(
        default="", max_length=200, help_text="Only products of this category; exact."
    )
    price_min = FiniteFloatField(
        default=None, min_value=0, help_text="Only products at this price or more; none without a price."
    )
    price_max = FiniteFloatField(
        default=None, min_value=0, help_text="Only products at this price or less; none without a price."
    )
    in_stock = serializers.BooleanField(
        default=False, help_text="Only products in stock; one of which that is not known counts as in stock."
    )
    not_bought_days = serializers.IntegerField(
        default=None,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="No product that the customer bought in so many days up to now.",
    )
    order = serializers.ChoiceField(
        ORDERS,
        default=ORDERS[0],
        help_text="`value`: by chance × margin, or × price where a cost is not known; `value_of` says which.",
    )
    diversity = FiniteFloatField(
        default=None,
        min_value=0,
        max_value=1,
        help_text="0: by chance alone; 1: as mixed as can be. Left out: as the settings say.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        low, high = attrs["price_min"], attrs["price_max"]
        if low is not None and high is not None and low > high:
            text = _("This is below price_min, %(low)g; send a price_max of at least that.")
            raise serializers.ValidationError({"price_max": [text % {"low": low}]})
        return attrs


def wish_of(query: dict[str, Any]) -> Wish:
    """Return the wish that a valid query says."""
    return Wish(**query)


class RecommendationReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs, e.g. `repeat`, `bought_with`, `pinned`.")
    text = serializers.CharField(help_text="For people, in the language of the request.")


class RecommendedSerializer(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    price = serializers.FloatField(allow_null=True)
    available = serializers.BooleanField(allow_null=True, help_text="Null where the CRM does not say.")
    score = serializers.FloatField(allow_null=True, help_text="The chance, where the model gave one.")
    value = serializers.FloatField(allow_null=True, help_text="Expected, in `currency`; see `value_of`.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a member of the answer
        ["model", "similar_customers", "popularity", "rule"],
        help_text="`popularity`: what everyone buys, where filters leave too few; `rule`: a rule alone.",
    )
    reasons = RecommendationReasonSerializer(many=True)
    feedback = GivenFeedbackSerializer(allow_null=True)


class RecommendationsSerializer(serializers.Serializer[Any]):
    agent = serializers.CharField()
    customer_id = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a member of the answer
        ["model", "similar_customers", "popularity"],
        allow_null=True,
        help_text=(
            "`similar_customers`: what those with the same attributes buy, since this customer has no "
            "purchases; `popularity`: what everyone buys, since nothing more is known."
        ),
    )
    note = serializers.CharField(
        allow_blank=True, help_text="Why the list is empty, short or not the model's; or empty."
    )
    items = RecommendedSerializer(many=True)
    order = serializers.ChoiceField(ORDERS)
    value_of = serializers.ChoiceField(
        ["margin", "price"], allow_null=True, help_text="What the chance is multiplied with in `value`."
    )
    currency = serializers.CharField(allow_blank=True)
    as_of = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    refreshed_at = RefreshedAtField()
