"""Rules for recommendations over REST: what the business wants, whatever the model says."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.problems import FieldError, InvalidInput, Problem, shown
from crm_agents.api.schema import IDEMPOTENCY_KEY, answered, describe, sent
from recommender.api.rule_serializers import (
    PreviewQuery,
    PreviewSerializer,
    RuleChange,
    RuleInput,
    RuleSerializer,
    RulesQuery,
)
from recommender.choosing.effect import without_effect
from recommender.models import RecommendationRule
from recommender.selectors import preview
from recommender.services.rules import RuleRejected, delete_rule, save_rule

MANAGE_RULES = "crm_agents_recommender.manage_rules"
PIN = {"action": "pin", "product": "85048", "ends": "2026-12-24", "note": "Christmas campaign"}
KEPT = {
    "id": 3,
    "action": "pin",
    "product": "85048",
    "category": "",
    "strength": None,
    "at_most": None,
    "attribute": "",
    "value": "",
    "starts": None,
    "ends": "2026-12-24",
    "active": True,
    "note": "Christmas campaign",
    "created_by": "manager",
    "created_at": "2026-11-23T10:15:00Z",
    "without_effect": "",
    "url": "https://crm.example.org/api/v1/recommender/rules/3/",
}
PINNED = {
    "product": "85048",
    "name": "15cm Christmas glass ball 20 lights",
    "category": "Lights",
    "price": 6.95,
    "available": True,
    "score": None,
    "value": None,
    "source": "rule",
    "reasons": [{"code": "pinned", "text": "Pinned by a rule until Dec. 24, 2026. Christmas campaign"}],
    "feedback": None,
}


class RuleView(ApiView):
    """What the endpoints of rules share."""

    tag = "rules"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    throttle_scopes = {
        "GET": "crm_agents.read",
        **dict.fromkeys(("POST", "PATCH", "DELETE"), "crm_agents.write"),
    }

    def rule(self, rule_id: str) -> RecommendationRule:
        """Return a rule of the tenant. Raises Problem 404."""
        found = None
        if rule_id.isdecimal() and len(rule_id) <= 18:
            rules = RecommendationRule.objects.select_related("created_by").filter(tenant=self.tenant)
            found = rules.filter(pk=int(rule_id)).first()
        if found is None:
            raise Problem(404, _("There is no rule %(id)r.") % {"id": rule_id})
        return found

    def save(self, rule: RecommendationRule, given: dict[str, Any]) -> dict[str, Any]:
        """Store a rule with the members of a body. Raises InvalidInput naming each that cannot be."""
        for name, value in given.items():
            setattr(rule, name, value)
        try:
            save_rule(rule, user=self.request.user)
        except RuleRejected as error:
            raise InvalidInput(
                FieldError(refusal.field, shown(refusal.value), refusal.message) for refusal in error.refusals
            ) from error
        return self.written([rule])[0]

    def written(self, rules: list[RecommendationRule]) -> list[dict[str, Any]]:
        context = {"view": self, "without_effect": without_effect(rules, tenant=self.tenant)}
        return [dict(RuleSerializer(rule, context=context).data) for rule in rules]


class RuleListView(RuleView):
    required_permissions = {"GET": VIEW_SCORES, "POST": MANAGE_RULES}
    http_method_names = ["get", "head", "post"]
    pagination_class = CursorPaging

    @describe(
        "Every rule, the oldest first",
        operation_id="recommender_rules_list",
        parameters=[RulesQuery],
        responses={200: RuleSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        query = self.query(RulesQuery)
        rules = RecommendationRule.objects.select_related("created_by").filter(tenant=self.tenant)
        if query["active"] is not None:
            rules = rules.filter(active=query["active"])
        if query["product"]:
            rules = rules.filter(product=query["product"])
        return self.page(rules, self.written, query=query, ordering=("id",))

    @describe(
        "Make a rule",
        operation_id="recommender_rules_make",
        description="It holds from the next time that a list is read; nothing is scored anew. A rule that "
        "contradicts another one, or speaks of a product that there is not, is refused.",
        parameters=[IDEMPOTENCY_KEY],
        request=RuleInput,
        responses={201: RuleSerializer},
        examples=[sent("Pin a product until Christmas", PIN), answered("Stored", KEPT, 201)],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.body(RuleInput)
        return Response(self.save(RecommendationRule(tenant=self.tenant), given), status=201)


class RuleDetailView(RuleView):
    required_permissions = {"GET": VIEW_SCORES, "PATCH": MANAGE_RULES, "DELETE": MANAGE_RULES}
    http_method_names = ["get", "head", "patch", "delete"]

    @describe(
        "One rule",
        operation_id="recommender_rules_get",
        responses={200: RuleSerializer},
        examples=[answered("A pin", KEPT)],
    )
    def get(self, request: Request, rule_id: str) -> Response:
        return Response(self.written([self.rule(rule_id)])[0])

    @describe(
        "Change or end a rule",
        operation_id="recommender_rules_change",
        request=RuleChange,
        responses={200: RuleSerializer},
        examples=[sent("End it", {"active": False}), answered("Changed", {**KEPT, "active": False})],
    )
    def patch(self, request: Request, rule_id: str) -> Response:
        rule = self.rule(rule_id)
        return Response(self.save(rule, self.body(RuleChange)))

    @describe(
        "Delete a rule; the audit keeps what it was",
        operation_id="recommender_rules_delete",
        responses={204: None},
    )
    def delete(self, request: Request, rule_id: str) -> Response:
        delete_rule(self.rule(rule_id), user=request.user)
        return Response(status=204)


class RulePreviewView(RuleView):
    required_permissions = {"GET": VIEW_SCORES}
    http_method_names = ["get", "head"]

    @describe(
        "One customer's list without and with the rules of today",
        operation_id="recommender_rules_preview",
        parameters=[PreviewQuery],
        responses={200: PreviewSerializer},
        examples=[
            answered(
                "A pin alone",
                {"customer_id": "12346", "without_rules": [], "with_rules": [PINNED], "note": ""},
            )
        ],
    )
    def get(self, request: Request) -> Response:
        customer = self.customer(self.query(PreviewQuery)["customer_id"])
        before, after = preview(self.agent("recommender"), customer.id)
        return Response(
            {
                "customer_id": customer.id,
                "without_rules": before["items"],
                "with_rules": after["items"],
                "note": after["note"],
            }
        )
