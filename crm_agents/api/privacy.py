"""What a customer may ask: to be shown everything, not to be profiled, to be erased."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.permissions import DELETE_CUSTOMER, MANAGE_PRIVACY
from crm_agents.api.problems import refused
from crm_agents.api.schema import describe
from crm_agents.api.validation import StrictSerializer
from crm_agents.services.privacy.opting import LONGEST_REASON, opt_in, opt_out
from crm_data.selectors import CustomerRecord
from crm_data.suppression import standing

SCOPES = {
    "GET": "crm_agents.read",
    "PUT": "crm_agents.write",
    "DELETE": "crm_agents.write",
}
CUSTOMER_ID = OpenApiParameter("customer_id", str, OpenApiParameter.PATH)


class ExportSerializer(serializers.Serializer[Any]):
    """Everything known of one customer. Members of members are as the rooms store them."""

    customer_id = serializers.CharField()
    tenant = serializers.CharField(allow_blank=True)
    exported_at = serializers.DateTimeField()
    record = serializers.DictField(child=serializers.JSONField(allow_null=True), allow_null=True)
    privacy = serializers.DictField(child=serializers.JSONField(allow_null=True))
    profile = serializers.DictField(child=serializers.JSONField(allow_null=True))
    answers = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="By agent: what it says now, in words."
    )
    scores = serializers.ListField(child=serializers.DictField(), help_text="Live, shadow and kept ones.")
    feedback = serializers.ListField(child=serializers.DictField())
    labels = serializers.ListField(child=serializers.DictField())
    snapshot = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        allow_null=True,
        help_text="What agents learn from: the customer's row, events and labels in the newest snapshot.",
    )
    files = serializers.DictField(
        child=serializers.JSONField(), help_text="By file: the customer's rows in kept predictions."
    )
    audit = serializers.ListField(child=serializers.DictField(), help_text="Entries that name the customer.")


class OptOutInput(StrictSerializer):
    reason = serializers.CharField(
        default="", allow_blank=True, max_length=LONGEST_REASON, help_text="Kept with the opt-out."
    )


class OptOutSerializer(serializers.Serializer[Any]):
    opted_out = serializers.BooleanField()
    at = serializers.DateTimeField(allow_null=True)
    by = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class ErasureQuery(StrictSerializer):
    record = serializers.BooleanField(
        default=False,
        help_text="Delete the built-in record and its interactions too; needs the permission to delete "
        "customers.",
    )


class ErasureSerializer(serializers.Serializer[Any]):
    """What was erased; nothing in it names the customer."""

    rows = serializers.DictField(child=serializers.IntegerField(), help_text="Deleted, by table.")
    texts = serializers.DictField(
        child=serializers.IntegerField(), help_text="Rows whose texts no longer name the customer, by table."
    )
    files = serializers.DictField(child=serializers.IntegerField(), help_text="Rows taken out, by file.")
    logs = serializers.ListField(child=serializers.CharField())
    snapshots = serializers.ListField(child=serializers.CharField(), help_text="Cleaned.")
    waiting = serializers.ListField(
        child=serializers.CharField(), help_text="Still in use; cleaned by itself afterwards."
    )
    versions = serializers.ListField(
        child=serializers.CharField(), help_text="Trained on data that held erased customers: train anew."
    )


class ExportView(ApiView):
    required_permissions = {"GET": MANAGE_PRIVACY}
    http_method_names = ["get"]
    tag = "privacy"

    @describe(
        "Everything that is known of one customer",
        operation_id="customers_export",
        description="The audit notes who asked.",
        responses={200: ExportSerializer},
    )
    def get(self, request: Request, customer_id: str) -> Response:
        from crm_agents.services.privacy.exporting import export  # reads Parquet files

        customer = self.customer(customer_id)
        return Response(export(self.tenant, customer.id, user=request.user))


class DerivedView(ApiView):
    required_permissions = {"DELETE": MANAGE_PRIVACY}
    throttle_scopes = SCOPES
    http_method_names = ["delete"]
    tag = "privacy"

    @describe(
        "Erase everything that is derived from one customer, for good",
        operation_id="customers_erase",
        description="The customer cannot come back by an import. It may be repeated, and does then what is "
        "left to do.",
        parameters=[ErasureQuery],
        responses={200: ErasureSerializer},
    )
    def delete(self, request: Request, customer_id: str) -> Response:
        from crm_agents.services.privacy.erasing import erase  # reads Parquet files

        with_record: bool = self.query(ErasureQuery)["record"]
        customer = self.customer(customer_id)
        user: Any = request.user
        if with_record and not user.has_perm(DELETE_CUSTOMER):
            raise exceptions.PermissionDenied
        report = erase(self.tenant, customer.id, user=request.user, with_record=with_record)
        return Response(report.as_json())


class OptOutView(ApiView):
    required_permissions = {"PUT": MANAGE_PRIVACY, "DELETE": MANAGE_PRIVACY}
    throttle_scopes = SCOPES
    http_method_names = ["put", "delete"]
    tag = "privacy"

    @describe(
        "Opt a customer out of profiling",
        operation_id="customers_opt_out",
        description="No agent learns from, scores or shows the customer any more; the scores go at once.",
        request=OptOutInput,
        responses={200: OptOutSerializer},
    )
    def put(self, request: Request, customer_id: str) -> Response:
        reason = self.body(OptOutInput)["reason"]
        customer = self.customer(customer_id)
        if standing(customer.id, self.tenant).erasure is not None:
            raise refused(
                "customer_id", customer.id, _("This customer was erased; there is nothing to opt out.")
            )
        opt_out(self.tenant, customer.id, user=request.user, reason=reason)
        return Response(_opt_out(customer))

    @describe(
        "Take an opt-out back",
        operation_id="customers_opt_in",
        responses={200: OptOutSerializer},
    )
    def delete(self, request: Request, customer_id: str) -> Response:
        customer = self.customer(customer_id)
        opt_in(self.tenant, customer.id, user=request.user)
        return Response(_opt_out(customer))


def _opt_out(customer: CustomerRecord) -> dict[str, Any]:
    row = standing(customer.id, customer.tenant).opt_out
    return {
        "opted_out": row is not None,
        "at": row.at if row else None,
        "by": row.by.get_username() if row and row.by else "",
        "reason": row.reason if row else "",
    }
