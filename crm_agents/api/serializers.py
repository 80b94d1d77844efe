"""Parts of answers that the agents share."""

from typing import Any

from rest_framework import serializers

from crm_agents.models.feedback import FeedbackVerdict


class GivenFeedbackSerializer(serializers.Serializer[Any]):
    """The last thing staff said."""

    verdict = serializers.ChoiceField(FeedbackVerdict.choices)
    label = serializers.CharField()  # type: ignore[assignment]  # a member of the answer
    reason = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class RefreshedAtField(serializers.DateTimeField):
    """When the answer was made anew after an interaction that the published scores do not know."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_null", True)
        kwargs.setdefault("help_text", "Made anew after an interaction; null: as published.")
        super().__init__(**kwargs)


class MissingSerializer(serializers.Serializer[Any]):
    """Why there is nothing to show."""

    code = serializers.CharField(help_text="For programs, e.g. `not_trained`, `purchases`.")
    text = serializers.CharField(help_text="For people, in the language of the request.")
