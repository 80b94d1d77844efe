"""Customers as the agents know them: the ones that the user may see, and what is said of each."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.answers import why_left_out
from crm_agents.api.base import ApiView
from crm_agents.api.conditional import conditional
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.schema import ETAG, IF_NONE_MATCH, NOT_MODIFIED, answered, describe
from crm_agents.api.serializers import MissingSerializer
from crm_agents.recipes import providers, recipes
from crm_agents.services.agents import get_agent
from crm_data.selectors import CustomerRecord, visible_customers


class CustomersQuery(PageQuery):
    search = serializers.CharField(
        default="", max_length=200, allow_blank=True, help_text="Part of the name or of the id."
    )


class CustomerSerializer(serializers.Serializer[Any]):
    """One line of the list."""

    id = serializers.CharField(source="crm_id")
    name = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    def get_name(self, customer: Any) -> str:
        return customer.crm_name or customer.crm_id  # type: ignore[no-any-return]

    @extend_schema_field(serializers.URLField)
    def get_url(self, customer: Any) -> str:
        url: str = self.context["view"].url("customer", customer_id=customer.crm_id)
        return url


class CustomerDetailSerializer(serializers.Serializer[Any]):
    """The CRM's record, and what each agent says in short."""

    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    since = serializers.DateTimeField(allow_null=True)
    owners = serializers.ListField(child=serializers.CharField(), help_text="User names of the sales reps.")
    attributes = serializers.DictField(child=serializers.JSONField(allow_null=True))
    profile = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="By provider: traits from the history."
    )
    agents = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="By agent: its answer in short, or null."
    )
    left_out = MissingSerializer(
        many=True, help_text="Why no agent says anything: `opted_out` or `erased`; else empty."
    )


class CustomerListView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    pagination_class = CursorPaging
    tag = "customers"

    @describe(
        "Customers that the user may see",
        parameters=[CustomersQuery],
        responses={200: CustomerSerializer(many=True)},
        examples=[
            answered(
                "One customer", {"id": "12346", "name": "Alder & Sons", "url": "/api/v1/customers/12346/"}
            )
        ],
    )
    def get(self, request: Request) -> Response:
        query = self.query(CustomersQuery)
        customers = visible_customers(request.user, tenant=self.tenant)
        if query["search"]:
            named = Q(crm_name__icontains=query["search"]) | Q(crm_id__icontains=query["search"])
            customers = customers.filter(named)
        return self.page(customers, CustomerSerializer, query=query, ordering=("pk",))


class CustomerDetailView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "customers"

    @describe(
        "One customer, with every agent's answer in short",
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: CustomerDetailSerializer, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, customer_id: str) -> Response:
        customer = self.customer(customer_id)
        agents = {recipe: get_agent(recipe.name, tenant=self.tenant) for recipe in recipes()}
        left_out = why_left_out(self.tenant, customer.id)
        body = {
            **_record(customer),
            "left_out": left_out,
            "profile": {
                provider.name: None if left_out else provider.customer_summary(self.tenant, customer.id)
                for provider in providers()
            },
            "agents": {
                recipe.name: recipe.customer_summary(agents[recipe], customer.id) for recipe in agents
            },
        }
        return conditional(request, Response(body), *agents.values())


def _record(customer: CustomerRecord) -> dict[str, Any]:
    return {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "since": customer.since,
        "owners": list(customer.owners),
        "attributes": customer.attributes,
    }
