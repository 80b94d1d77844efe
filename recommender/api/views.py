"""The REST endpoint of one customer's recommendations."""

from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.conditional import conditional
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.schema import ETAG, IF_NONE_MATCH, NOT_MODIFIED, answered, describe
from recommender.api.serializers import RecommendationsQuery, RecommendationsSerializer, wish_of
from recommender.selectors import recommendations_for

EXAMPLE = {
    "agent": "recommender",
    "customer_id": "12346",
    "source": "model",
    "note": "",
    "items": [
        {
            "product": "85048",
            "name": "15cm Christmas glass ball 20 lights",
            "category": "Lights",
            "price": 6.95,
            "available": True,
            "score": 0.31,
            "value": 2.1545,
            "source": "model",
            "reasons": [{"code": "repeat", "text": "Bought 3 times, about every 30 days; last 28 days ago."}],
            "feedback": None,
        }
    ],
    "order": "value",
    "value_of": "price",
    "currency": "GBP",
    "as_of": "2026-03-01T00:00:00+00:00",
    "version": 4,
    "refreshed_at": None,
}


class RecommendationsView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "customers"

    @describe(
        "Products recommended to a customer, with reasons",
        description="The rules of today are heeded. Where filters leave fewer products than asked for, what "
        "everyone buys fills the list within the same filters and says so; `note` gives the reason for every "
        "empty list.",
        operation_id="customers_recommendations",
        parameters=[RecommendationsQuery, IF_NONE_MATCH, ETAG],
        responses={200: RecommendationsSerializer, 304: NOT_MODIFIED},
        examples=[answered("One product", EXAMPLE)],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        query = self.query(RecommendationsQuery)
        customer = self.customer(customer_id)
        agent = self.agent("recommender")
        answer = recommendations_for(agent, customer.id, wish=wish_of(query))
        return conditional(request, Response(answer), agent)
