"""The shapes of the answers, as `churn.selectors` gives them."""

from typing import Any

from rest_framework import serializers

from churn.models import Tier, Trend
from crm_agents.api.paging import PageQuery
from crm_agents.api.serializers import GivenFeedbackSerializer, MissingSerializer, RefreshedAtField
from crm_agents.api.validation import FiniteFloatField


class WorklistQuery(PageQuery):
    tier = serializers.ChoiceField(
        [choice for choice in Tier.choices if choice[0] != Tier.UNKNOWN], default="", help_text="Of the risk."
    )
    trend = serializers.ChoiceField(Trend.choices, default="", help_text="Against 30 days before.")
    min_probability = FiniteFloatField(min_value=0, max_value=1, default=0.0)


class ChurnReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs, e.g. `overdue`.")
    direction = serializers.ChoiceField(["up", "down"], help_text="Raises or lowers the risk.")
    effect = serializers.CharField(help_text="The same for people.")
    text = serializers.CharField(help_text="For people, in the language of the request.")


class ScoreSerializer(serializers.Serializer[Any]):
    customer_id = serializers.CharField()
    probability = serializers.FloatField(
        allow_null=True, min_value=0, max_value=1, help_text="Calibrated; null where there is no answer."
    )
    tier = serializers.ChoiceField(Tier.choices)
    tier_label = serializers.CharField()
    trend = serializers.ChoiceField(Trend.choices)
    trend_label = serializers.CharField()
    reasons = ChurnReasonSerializer(many=True)
    missing = MissingSerializer(many=True, help_text="Why there is no answer; empty where there is one.")


class ChurnSerializer(ScoreSerializer):
    agent = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    refreshed_at = RefreshedAtField()
    feedback = GivenFeedbackSerializer(allow_null=True)


class WarningSerializer(ScoreSerializer):
    """One line of the worklist."""

    name = serializers.CharField(help_text="Of the customer.")
    url = serializers.URLField(help_text="Of the customer.")
