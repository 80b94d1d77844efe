"""Bulk write of interactions into the built-in tables: all rows of a request, or none."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.permissions import ADD_INTERACTION
from crm_agents.api.problems import FieldError, InvalidInput, conflict, refused, shown
from crm_agents.api.schema import IDEMPOTENCY_KEY, answered, describe, sent
from crm_data.services.interactions import InteractionsRejected, SourceIsReadOnly, record_interactions

MOST_ROWS = 1000


class InteractionSerializer(serializers.Serializer[Any]):
    """One dated event. Described only: the write itself checks the rows and names each refused value."""

    customer = serializers.CharField(help_text="Code of the customer.")
    kind = serializers.CharField(help_text="purchase, return, visit, email, call, question, complaint …")
    at = serializers.DateTimeField(help_text="With its offset from UTC.")
    product = serializers.CharField(required=False, help_text="Code of the product, where there is one.")
    quantity = serializers.FloatField(required=False, allow_null=True)
    amount = serializers.FloatField(required=False, allow_null=True, help_text="Of the whole line.")
    currency = serializers.CharField(required=False)
    basket = serializers.CharField(required=False, help_text="Invoice or order number.")
    channel = serializers.CharField(required=False)
    text = serializers.CharField(required=False)
    key = serializers.UUIDField(
        required=False, help_text="Of yours; a second delivery of the same row is not stored again."
    )


class InteractionsInput(serializers.Serializer[Any]):
    rows = serializers.ListField(child=InteractionSerializer(), min_length=1, max_length=MOST_ROWS)


class RecordedSerializer(serializers.Serializer[Any]):
    recorded = serializers.IntegerField(help_text="Rows that were new.")


class InteractionsView(ApiView):
    required_permissions = {"POST": ADD_INTERACTION}
    tag = "interactions"

    @describe(
        "Write interactions in bulk",
        operation_id="interactions_record",
        description="All rows are written, or none: `errors` then names every refused value as `rows.3.at`. "
        "409 where the CRM's events live in tables of its own, which are only read.",
        parameters=[IDEMPOTENCY_KEY],
        request=InteractionsInput,
        responses={201: RecordedSerializer},
        examples=[
            sent(
                "One purchase",
                {
                    "rows": [
                        {
                            "customer": "12346",
                            "kind": "purchase",
                            "at": "2026-03-02T10:15:00Z",
                            "product": "85048",
                            "quantity": 2,
                            "amount": 13.9,
                            "basket": "536365",
                        }
                    ]
                },
            ),
            answered("Recorded", {"recorded": 1}, 201),
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        rows = _rows(request.data)
        try:
            return Response({"recorded": record_interactions(request.user, rows)}, status=201)
        except InteractionsRejected as rejected:
            raise InvalidInput(_named(error) for error in rejected.errors) from rejected
        except SourceIsReadOnly as error:
            title = _("The CRM's own tables are only read")
            raise conflict("source-is-read-only", title, str(error)) from error


def _rows(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, dict) or set(body) != {"rows"} or not isinstance(body["rows"], list):
        raise refused("rows", body, _('Send an object with one list: {"rows": [...]}.'))
    rows: list[Any] = body["rows"]
    if not 0 < len(rows) <= MOST_ROWS:
        raise refused("rows", len(rows), _("Send 1 to %(most)d rows.") % {"most": MOST_ROWS})
    strangers = [
        FieldError(f"rows.{index}", shown(row), _("Each row must be an object."))
        for index, row in enumerate(rows)
        if not isinstance(row, dict)
    ]
    if strangers:
        raise InvalidInput(strangers)
    return rows


def _named(error: dict[str, Any]) -> FieldError:
    field = f"rows.{error['index']}.{error['field']}".rstrip(".")
    return FieldError(field, shown(error["value"]), str(error["message"]))
