"""The shape of a rule, sent and answered."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm_agents.api.base import LONGEST_KEY
from crm_agents.api.paging import PageQuery
from crm_agents.api.validation import FiniteFloatField, StrictSerializer
from recommender.api.serializers import RecommendedSerializer
from recommender.models import RecommendationRule, RuleAction

MOST_OF_A_CATEGORY = 32_767  # what the column holds


class RulesQuery(PageQuery):
    active = serializers.BooleanField(default=None, allow_null=True, help_text="Only rules that are, or not.")
    product = serializers.CharField(default="", max_length=LONGEST_KEY)


class RuleChange(StrictSerializer):
    """The members of a rule; what is left out stays as it is."""

    action = serializers.ChoiceField(RuleAction.choices, required=False)
    product = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_KEY)
    category = serializers.CharField(required=False, allow_blank=True, max_length=200)
    strength = FiniteFloatField(
        required=False,
        allow_null=True,
        help_text="To move up or down: the factor by which the chance is multiplied or divided; else 2.",
    )
    at_most = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_OF_A_CATEGORY,
        help_text="For `cap`: products of the category in one list; without a category, of each one.",
    )
    attribute = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Only for customers whose attribute of this name …",
    )
    value = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="… has this value."
    )
    starts = serializers.DateField(required=False, allow_null=True, help_text="First day; null for at once.")
    ends = serializers.DateField(required=False, allow_null=True, help_text="Last day; null for no end.")
    active = serializers.BooleanField(required=False)
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)


class RuleInput(RuleChange):
    action = serializers.ChoiceField(RuleAction.choices)


class RuleSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    action = serializers.ChoiceField(RuleAction.choices)
    product = serializers.CharField(allow_blank=True)
    category = serializers.CharField(allow_blank=True)
    strength = serializers.FloatField(allow_null=True)
    at_most = serializers.IntegerField(allow_null=True)
    attribute = serializers.CharField(allow_blank=True)
    value = serializers.CharField(allow_blank=True)
    starts = serializers.DateField(allow_null=True)
    ends = serializers.DateField(allow_null=True)
    active = serializers.BooleanField()
    note = serializers.CharField(allow_blank=True)
    created_by = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    without_effect = serializers.SerializerMethodField(
        help_text="Why it has no effect today; empty for a rule that has."
    )
    url = serializers.SerializerMethodField()

    def get_created_by(self, rule: RecommendationRule) -> str:
        return rule.created_by.get_username() if rule.created_by else ""

    def get_without_effect(self, rule: RecommendationRule) -> str:
        return str(self.context["without_effect"][rule.pk])

    @extend_schema_field(serializers.URLField)
    def get_url(self, rule: RecommendationRule) -> str:
        url: str = self.context["view"].url("recommender-rule", rule_id=rule.pk)
        return url


class PreviewQuery(StrictSerializer):
    customer_id = serializers.CharField(max_length=LONGEST_KEY)


class PreviewSerializer(serializers.Serializer[Any]):
    """One customer's list, as the agent made it and as the rules of today make it."""

    customer_id = serializers.CharField()
    without_rules = RecommendedSerializer(many=True)
    with_rules = RecommendedSerializer(many=True)
    note = serializers.CharField(allow_blank=True)
