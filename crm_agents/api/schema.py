"""The OpenAPI description: what every operation of ours has in common, and the endpoint that serves it."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, TypeVar

from django.utils.functional import Promise
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from crm_agents.api.problems import CONTENT_TYPE

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any text of up to 200 characters, new for each intended write. The same key with the same "
    "body gets the first answer again for 24 hours, and nothing is done twice.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="`ETag` of an earlier answer."
)
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, description="Send it back as `If-None-Match`.", response=[200, 304]
)
NOT_MODIFIED = OpenApiResponse(description="The answer with that `ETag` still holds.")
ACCEPTED_HEADERS = [
    OpenApiParameter(
        "Location",
        str,
        OpenApiParameter.HEADER,
        description="URL of the run to follow.",
        response=[202],
    )
]


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Path of the value, e.g. `rows.3.amount`; empty for the whole.")
    value = serializers.JSONField(allow_null=True, help_text="The refused value, shortened.")
    message = serializers.CharField(help_text="What is wrong, and what to send instead.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error as RFC 9457 describes it."""

    type = serializers.CharField(help_text="`about:blank`, or `urn:problem:crm-agents:` and a word.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="Path of the request.")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # a member of the answer


PROBLEMS = {
    "400": "A value was refused; `errors` names it. Nothing was changed.",
    "401": "Not signed in.",
    "403": "The permission is missing.",
    "404": "It does not exist, or the user may not see it: the two are not told apart.",
    "409": "The present state does not allow it; `type` says which.",
    "413": "The body is too large.",
    "415": "The body is not `application/json`.",
    "422": "The `Idempotency-Key` was used for another body.",
    "429": "Too many requests; `Retry-After` says when to come back.",
}
READ_PROBLEMS = ("400", "401", "403", "404", "429")


class ApiSchema(AutoSchema):
    """Adds the problem answers, which every operation can give, to its own ones."""

    def get_tags(self) -> list[str]:
        tag: str = getattr(self.view, "tag", "")
        return [tag] if tag else super().get_tags()

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """Describe by the view's own words; those of the base class are for its readers."""
        return cleandoc(vars(type(self.view)).get("__doc__") or "")

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            reference = self.resolve_serializer(ProblemSerializer, "response").ref
            reading = (*READ_PROBLEMS, *getattr(self.view, "read_problems", ()))
            codes = reading if self.method == "GET" else tuple(PROBLEMS)
            for code in codes:
                operation["responses"].setdefault(
                    code, {"description": PROBLEMS[code], "content": {CONTENT_TYPE: {"schema": reference}}}
                )
        return operation


def describe(summary: str | Promise, **kwargs: Any) -> Callable[[Decorated], Decorated]:
    """`extend_schema` on `ApiSchema`, whatever schema class the host has made DRF's default."""

    def decorate(method: Decorated) -> Decorated:
        method.kwargs = {"schema": ApiSchema}  # type: ignore[attr-defined]
        decorated: Decorated = extend_schema(summary=summary, **kwargs)(method)
        return decorated

    return decorate


def sent(name: str, value: Any) -> OpenApiExample:
    """An example of a body to send."""
    return OpenApiExample(name, value=value, request_only=True)


def answered(name: str, value: Any, status: int = 200) -> OpenApiExample:
    """An example of an answer."""
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


def only_ours(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Leave the host's own endpoints out of this description (a preprocessing hook of drf-spectacular)."""
    return [entry for entry in endpoints if isinstance(getattr(entry[3].cls, "schema", None), ApiSchema)]
