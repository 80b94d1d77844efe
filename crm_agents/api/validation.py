"""Checked input: every refused value is named, and nothing unknown is silently left out."""

import json
import math
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from crm_agents.api.problems import InvalidInput, field_errors


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses members it does not know: a misspelt filter must not mean "all"."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = sorted(name for name, field in self.fields.items() if not field.read_only)
            unknown = sorted(str(name) for name in data if name not in known)
            if unknown:
                message = _("Not known here. Known are: %(known)s.") % {"known": ", ".join(known) or "-"}
                raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)


class FiniteFloatField(serializers.FloatField):
    """A float that is a number: "nan" passes every comparison and 1e999 becomes infinite."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class JSONObjectField(serializers.DictField):
    """A JSON object that every database can store."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False)
            text.encode()
        except (ValueError, RecursionError) as error:
            raise serializers.ValidationError(
                _("Holds a number that is not finite, or text that cannot be encoded.")
            ) from error
        if "\\u0000" in text:
            raise serializers.ValidationError(_("Null characters are not allowed."))
        return value


def validated(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """Return the values of `data`. Raises InvalidInput naming every field, its value and the remedy."""
    checked = serializer(data=data)
    if checked.is_valid():
        return dict(checked.validated_data)
    raise InvalidInput(field_errors(checked.errors, data))
