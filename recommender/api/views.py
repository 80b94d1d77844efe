from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.conditional import conditional
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.schema import ETAG, IF_NONE_MATCH, NOT_MODIFIED, answered, describe
from recommender.api.serializers import MOST_ITEMS, RecommendationsQuery, RecommendationsSerializer
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
            "score": 0.31,
            "reasons": [{"code": "repeat", "text": "Bought 3 times, about every 30 days; last 28 days ago."}],
            "feedback": None,
        }
    ],
    "as_of": "2026-03-01T00:00:00+00:00",
    "version": 4,
}


class RecommendationsView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "customers"

    @describe(
        "Products recommended to a customer, with reasons",
        operation_id="customers_recommendations",
        parameters=[RecommendationsQuery, IF_NONE_MATCH, ETAG],
        responses={200: RecommendationsSerializer, 304: NOT_MODIFIED},
        examples=[answered("One product", EXAMPLE)],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        query = self.query(RecommendationsQuery)
        customer = self.customer(customer_id)
        agent = self.agent("recommender")
        answer = recommendations_for(agent, customer.id, limit=MOST_ITEMS)
        kept = [item for item in answer["items"] if query["category"] in ("", item["category"])]
        body: dict[str, Any] = {**answer, "items": kept[: query["limit"]]}
        return conditional(request, Response(body), agent)
