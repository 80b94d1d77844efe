"""What staff say of scores: given for a customer that they may see, read back as their own."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import LONGEST_KEY, ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import GIVE_FEEDBACK
from crm_agents.api.problems import refused
from crm_agents.api.schema import IDEMPOTENCY_KEY, answered, describe, sent
from crm_agents.api.validation import StrictSerializer
from crm_agents.models import Feedback
from crm_agents.models.feedback import FeedbackVerdict
from crm_agents.recipes import recipes
from crm_agents.services.agents import get_agent
from crm_agents.services.feedback import FeedbackRejected, give_feedback

EXAMPLE = {
    "agent": "recommender",
    "customer_id": "12346",
    "verdict": "dismissed",
    "item": "85048",
    "reason": "Bought elsewhere",
}


class FeedbackQuery(PageQuery):
    agent = serializers.CharField(default="", max_length=64)
    customer_id = serializers.CharField(default="", max_length=LONGEST_KEY)


class FeedbackInput(StrictSerializer):
    agent = serializers.CharField(max_length=64, help_text="Name of the agent.")
    customer_id = serializers.CharField(max_length=LONGEST_KEY)
    verdict = serializers.ChoiceField(FeedbackVerdict.choices)
    item = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="Product, where it is about one."
    )
    reason = serializers.CharField(default="", allow_blank=True, max_length=500)


class FeedbackSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    agent = serializers.CharField(source="agent.name")
    customer_id = serializers.CharField()
    verdict = serializers.ChoiceField(FeedbackVerdict.choices)
    item = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class FeedbackView(ApiView):
    required_permissions = {"GET": GIVE_FEEDBACK, "POST": GIVE_FEEDBACK}
    pagination_class = CursorPaging
    tag = "feedback"

    @describe(
        "Feedback that the user gave, newest first",
        parameters=[FeedbackQuery],
        responses={200: FeedbackSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        query = self.query(FeedbackQuery)
        user: Any = request.user
        given = Feedback.objects.filter(user=user, tenant=self.tenant).select_related("agent")
        if query["agent"]:
            given = given.filter(agent__name=query["agent"])
        if query["customer_id"]:
            given = given.filter(customer_id=query["customer_id"])
        return self.page(given, FeedbackSerializer, query=query, ordering=("-id",))

    @describe(
        "Accept, dismiss or mark wrong a score or one recommended item",
        operation_id="feedback_give",
        parameters=[IDEMPOTENCY_KEY],
        request=FeedbackInput,
        responses={201: FeedbackSerializer},
        examples=[
            sent("Dismiss a product", EXAMPLE),
            answered("Stored", {"id": 7, **EXAMPLE, "at": "2026-03-02T10:15:00Z"}, 201),
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.body(FeedbackInput)
        names = [recipe.name for recipe in recipes()]
        if given["agent"] not in names:
            raise refused(
                "agent", given["agent"], _("Choose one of: %(names)s.") % {"names": ", ".join(names)}
            )
        customer = self.customer(given["customer_id"])
        try:
            feedback = give_feedback(
                get_agent(given["agent"], tenant=self.tenant),
                customer_id=customer.id,
                verdict=given["verdict"],
                item=given["item"],
                reason=given["reason"],
                user=request.user,
            )
        except FeedbackRejected as error:  # the customer is left out; the rest is checked above
            raise refused("customer_id", customer.id, str(error)) from error
        return Response(FeedbackSerializer(feedback).data, status=201)
