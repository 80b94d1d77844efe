"""What is asked of a product: its likeliest customers, its substitutes, and what is bought with it."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.conditional import conditional
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.problems import Problem
from crm_agents.api.schema import ETAG, IF_NONE_MATCH, NOT_MODIFIED, answered, describe
from crm_agents.api.validation import StrictSerializer
from crm_agents.models import Agent
from crm_data.selectors import ProductRecord
from recommender.products.callers import CALLERS, MOST_CALLERS, callers_for
from recommender.products.found import ProductNotFound, find_product
from recommender.products.related import bundles_for, substitutes_for

LANTERN = {"product": "22423", "name": "Cake stand", "category": "Kitchen", "price": 12.75}
MADE = {"as_of": "2026-03-01T00:00:00+00:00", "version": 4}
CALLED = {
    "agent": "recommender",
    **LANTERN,
    "value_of": "price",
    "currency": "GBP",
    "items": [
        {
            "customer_id": "12346",
            "name": "Alder & Sons",
            "owners": ["rep"],
            "chance": 0.31,
            "value": 3.95,
            "times": 3,
            "days_since": 28,
            "reasons": [{"code": "repeat", "text": "Bought 3 times; last 28 days ago."}],
        }
    ],
    "note": "",
    **MADE,
}
REPLACED = {
    "agent": "recommender",
    **LANTERN,
    "items": [
        {
            "product": "22424",
            "name": "Cake stand, small",
            "category": "Kitchen",
            "price": 9.95,
            "reasons": [{"code": "similar_name", "text": "Both names have: cake, stand."}],
        }
    ],
    "note": "",
    **MADE,
}
BUNDLED = {
    "agent": "recommender",
    **LANTERN,
    "items": [
        {
            "product": "21212",
            "name": "Cake cases",
            "category": "Kitchen",
            "price": 0.55,
            "orders": 120,
            "of": 410,
            "lift": 5.2,
            "reasons": [
                {
                    "code": "together",
                    "text": "In 120 of the 410 orders with it (29 %), 5.2 times as often as by chance.",
                }
            ],
        }
    ],
    "note": "",
    **MADE,
}


class CallersQuery(StrictSerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_CALLERS, default=CALLERS, help_text="Customers at most, likeliest first."
    )


class RelationReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs, e.g. `repeat`, `similar_name`.")
    text = serializers.CharField(help_text="For people, in the language of the request.")


class DescribedProductSerializer(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    price = serializers.FloatField(allow_null=True)


class CallerSerializer(serializers.Serializer[Any]):
    customer_id = serializers.CharField()
    name = serializers.CharField()
    owners = serializers.ListField(child=serializers.CharField(), help_text="User names of the sales reps.")
    chance = serializers.FloatField(help_text="Of buying the product within the agent's horizon.")
    value = serializers.FloatField(allow_null=True, help_text="Chance times what the sale brings.")
    times = serializers.IntegerField(
        allow_null=True, help_text="Bought so far; null where the scores do not say."
    )
    days_since = serializers.IntegerField(allow_null=True, help_text="Since the last time, at `as_of`.")
    reasons = RelationReasonSerializer(many=True)


class SubstituteSerializer(DescribedProductSerializer):
    reasons = RelationReasonSerializer(many=True)


class BundleSerializer(DescribedProductSerializer):
    orders = serializers.IntegerField(help_text="Orders with both products.")
    of = serializers.IntegerField(help_text="Orders with the product asked about.")
    lift = serializers.FloatField(help_text="How many times as often as by chance.")
    reasons = RelationReasonSerializer(many=True)


class ProductAnswerSerializer(DescribedProductSerializer):
    agent = serializers.CharField()
    note = serializers.CharField(allow_blank=True, help_text="Why the list is empty or unusual, or empty.")
    as_of = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)


class CallersSerializer(ProductAnswerSerializer):
    value_of = serializers.ChoiceField(
        ["margin", "price"],
        allow_null=True,
        help_text="What `value` is the chance times of; null where no price is known.",
    )
    currency = serializers.CharField(allow_blank=True)
    items = CallerSerializer(many=True)


class SubstitutesSerializer(ProductAnswerSerializer):
    items = SubstituteSerializer(many=True)


class BundlesSerializer(ProductAnswerSerializer):
    items = BundleSerializer(many=True)


class NoQuery(StrictSerializer):
    """No parameter is known."""


class ProductView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "products"

    def product(self, agent: Agent, product_id: str) -> ProductRecord:
        """Return the product. Raises Problem (404) naming one that is not known."""
        try:
            return find_product(agent, product_id)
        except ProductNotFound as error:
            text = _("There is no product %(id)r. Ask by the number that the CRM gives it.")
            raise Problem(404, text % {"id": product_id}) from error

    def related(
        self,
        request: Request,
        product_id: str,
        answer: Callable[[Agent, ProductRecord], dict[str, Any]],
    ) -> Response:
        self.query(NoQuery)
        agent = self.agent("recommender")
        return conditional(request, Response(answer(agent, self.product(agent, product_id))), agent)


class ProductCustomersView(ProductView):
    """Only customers that the user may see, nobody of a control group, nobody for whom a rule excludes it."""

    @describe(
        "Whom to call about a product: the customers likeliest to buy it",
        operation_id="products_customers",
        parameters=[CallersQuery, IF_NONE_MATCH, ETAG],
        responses={200: CallersSerializer, 304: NOT_MODIFIED},
        examples=[answered("One customer", CALLED)],
    )
    def get(self, request: Request, product_id: str) -> Response:
        query = self.query(CallersQuery)
        agent = self.agent("recommender")
        product = self.product(agent, product_id)
        body = callers_for(agent, request.user, product, limit=query["limit"])
        return conditional(request, Response(body), agent)


class ProductSubstitutesView(ProductView):
    """Much alike, and seldom bought in one order. At most ten."""

    @describe(
        "What may be offered instead of a product",
        operation_id="products_substitutes",
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: SubstitutesSerializer, 304: NOT_MODIFIED},
        examples=[answered("One product", REPLACED)],
    )
    def get(self, request: Request, product_id: str) -> Response:
        return self.related(request, product_id, substitutes_for)


class ProductBundlesView(ProductView):
    """What stands in one order with it more often than chance would have it. At most ten."""

    @describe(
        "What is bought together with a product",
        operation_id="products_bundles",
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: BundlesSerializer, 304: NOT_MODIFIED},
        examples=[answered("One product", BUNDLED)],
    )
    def get(self, request: Request, product_id: str) -> Response:
        return self.related(request, product_id, bundles_for)
