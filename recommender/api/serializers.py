"""The shape of an answer, as `recommender.selectors` gives it."""

from typing import Any

from rest_framework import serializers

from crm_agents.api.serializers import GivenFeedbackSerializer
from crm_agents.api.validation import StrictSerializer

MOST_ITEMS = 20


class RecommendationsQuery(StrictSerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_ITEMS, default=10, help_text="Products at most, best first."
    )
    category = serializers.CharField(
        default="", max_length=200, help_text="Only products of this category; exact."
    )


class RecommendationReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs, e.g. `repeat`, `bought_with`.")
    text = serializers.CharField(help_text="For people, in the language of the request.")


class RecommendedSerializer(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    price = serializers.FloatField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    reasons = RecommendationReasonSerializer(many=True)
    feedback = GivenFeedbackSerializer(allow_null=True)


class RecommendationsSerializer(serializers.Serializer[Any]):
    agent = serializers.CharField()
    customer_id = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a member of the answer
        ["model", "popularity"],
        allow_null=True,
        help_text="`popularity`: what everyone buys, since the model knows too little of this customer.",
    )
    note = serializers.CharField(allow_blank=True, help_text="Why it is not the model's, or empty.")
    items = RecommendedSerializer(many=True)
    as_of = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
