"""Cursor paging by key: the next page starts after the last row, at the same cost however far down."""

import base64
import binascii
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.pagination import BasePagination

from crm_agents.api.problems import refused
from crm_agents.api.validation import StrictSerializer

PAGE = 50
LARGEST_PAGE = 200


class PageQuery(StrictSerializer):
    """Query parameters of every list."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LARGEST_PAGE, default=PAGE, help_text="Rows of one page."
    )
    cursor = serializers.CharField(
        default="", max_length=2000, help_text="Taken from `next` of the page before; opaque."
    )


def cursor_of(row: Model, ordering: tuple[str, ...]) -> str:
    """Return the text that stands for the place of `row` in its list."""
    values = [field.value_to_string(row) for field, _descending in _fields(type(row), ordering)]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def after_cursor(rows: QuerySet[Any], cursor: str, ordering: tuple[str, ...]) -> QuerySet[Any]:
    """Return `rows` in order, from the one after `cursor` on. `ordering` ends in a unique column.

    No column of `ordering` may hold nulls. Raises InvalidInput for a cursor that is none of ours.
    """
    ordered = rows.order_by(*ordering)
    if not cursor:
        return ordered
    fields = _fields(rows.model, ordering)
    values = _decoded(cursor, [field for field, _descending in fields])
    rest = Q()
    for (field, descending), value in reversed(list(zip(fields, values, strict=True))):
        step = "lt" if descending else "gt"
        rest = Q(**{f"{field.name}__{step}": value}) | (Q(**{field.name: value}) & rest if rest else Q())
    first, descending = fields[0]
    # Implied by `rest`, and what lets the database start in the middle of an index.
    bound = Q(**{f"{first.name}__{'lte' if descending else 'gte'}": values[0]})
    return ordered.filter(bound & rest)


def _fields(model: type[Model], ordering: tuple[str, ...]) -> "list[tuple[Field[Any, Any], bool]]":
    names = [(name.lstrip("-"), name.startswith("-")) for name in ordering]
    pk = model._meta.pk
    return [(pk if name == "pk" else model._meta.get_field(name), down) for name, down in names]  # type: ignore[misc]


def _decoded(cursor: str, fields: "list[Field[Any, Any]]") -> list[Any]:
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(texts, list) or not all(
            isinstance(text, str) and "\x00" not in text for text in texts
        ):
            raise ValueError
        return [field.to_python(text) for field, text in zip(fields, texts, strict=True)]
    except (binascii.Error, ValueError, ValidationError, RecursionError) as error:
        raise refused("cursor", cursor, _("Take it, unchanged, from `next` of the page before.")) from error


class CursorPaging(BasePagination):
    """What the OpenAPI description needs to know of a page; `ApiView.page` makes it."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": "string",
                    "format": "uri",
                    "nullable": True,
                    "description": "The next page, or null on the last one.",
                    "example": None,
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return []
