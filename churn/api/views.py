from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from churn.api.serializers import ChurnSerializer, WarningSerializer, WorklistQuery
from churn.models import ChurnScore
from churn.selectors import churn_for, score_answer, worklist
from crm_agents.api.base import ApiView
from crm_agents.api.conditional import conditional
from crm_agents.api.paging import CursorPaging
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.schema import ETAG, IF_NONE_MATCH, NOT_MODIFIED, answered, describe
from crm_data.selectors import customer_names

SCORE = {
    "customer_id": "12346",
    "probability": 0.91,
    "tier": "high",
    "tier_label": "high",
    "trend": "rising",
    "trend_label": "risk rising",
    "reasons": [
        {
            "code": "overdue",
            "direction": "up",
            "effect": "raises the risk",
            "text": "Usually orders every 20 days; last order 61 days ago.",
        }
    ],
    "missing": [],
}
ANSWER = {"as_of": "2026-03-01T00:00:00+00:00", "version": 4, "refreshed_at": None, "feedback": None}
CUSTOMER = {"name": "Alder & Sons", "url": "https://crm.example.com/api/v1/customers/12346/"}


class CustomerChurnView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "customers"

    @describe(
        "A customer's risk of leaving, with its trend and reasons",
        operation_id="customers_churn",
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: ChurnSerializer, 304: NOT_MODIFIED},
        examples=[answered("High risk", {"agent": "churn", **SCORE, **ANSWER})],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        customer = self.customer(customer_id)
        agent = self.agent("churn")
        return conditional(request, Response(churn_for(agent, customer.id)), agent)


class WorklistView(ApiView):
    """Customers without an answer are not in the list: it is a list of whom to call."""

    required_permissions = {"GET": VIEW_SCORES}
    pagination_class = CursorPaging
    tag = "churn"

    @describe(
        "Customers at risk, the highest first",
        operation_id="churn_worklist",
        parameters=[WorklistQuery, IF_NONE_MATCH, ETAG],
        responses={200: WarningSerializer(many=True), 304: NOT_MODIFIED},
        examples=[answered("One warning", {**SCORE, **CUSTOMER})],
    )
    def get(self, request: Request) -> Response:
        query = self.query(WorklistQuery)
        agent = self.agent("churn")
        rows = worklist(agent, request.user, tier=query["tier"] or None)
        rows = rows.filter(score__isnull=False, score__gte=query["min_probability"])
        if query["trend"]:
            rows = rows.filter(trend=query["trend"])
        answer = self.page(rows, self._warnings, query=query, ordering=("-score", "-id"))
        return conditional(request, answer, agent)

    def _warnings(self, rows: list[ChurnScore]) -> list[dict[str, Any]]:
        names = customer_names([row.customer_id for row in rows], tenant=self.tenant)
        return [
            {
                **score_answer(row),
                "name": names.get(row.customer_id, row.customer_id),
                "url": self.url("customer", customer_id=row.customer_id),
            }
            for row in rows
        ]
