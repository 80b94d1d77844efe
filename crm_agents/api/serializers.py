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
