"""Versions side by side, and a version's model card."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.problems import Problem, refused
from crm_agents.api.schema import describe
from crm_agents.api.validation import StrictSerializer
from crm_agents.api.versions import VERSION_ID, VersionSerializer, found_version
from crm_agents.cards.comparing import problem_text
from crm_agents.cards.facts import model_card
from crm_agents.cards.page import card_name, html_card
from crm_agents.folders import artifact_folder
from crm_agents.models import ModelVersion
from crm_agents.names import lower_is_better, metric_label
from crm_agents.services.comparing import (
    NoSuchVersion,
    NotComparable,
    Paired,
    chosen_versions,
    compare,
    reference_of,
)

FORMATS = {"json": "application/json", "html": "text/html"}


class CompareQuery(StrictSerializer):
    ids = serializers.RegexField(
        r"^[0-9]{1,18}(,[0-9]{1,18}){1,3}$",
        max_length=80,
        help_text="Two to four versions of one agent, by `id`, with commas between them.",
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    """How one version's metric differs from the other's on the same customers; 95 % interval."""

    metric = serializers.CharField(help_text="For programs, e.g. `roc_auc`.")
    label = serializers.CharField()  # type: ignore[assignment]  # a member of the answer
    lower_is_better = serializers.BooleanField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class PairSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.pk")
    against = serializers.IntegerField(source="against.pk", help_text="The live one, or the oldest.")
    problem = serializers.CharField(
        help_text="Why nothing could be paired (`windows`, `predictions`, `metrics`, `customers`), or empty.",
        allow_blank=True,
    )
    text = serializers.SerializerMethodField(help_text="The problem in words.")
    measured_again = serializers.IntegerField(
        source="again.pk",
        default=None,
        allow_null=True,
        help_text="Which of the two was measured again on the other's window, where their windows differ.",
    )
    customers = serializers.IntegerField(help_text="Whom both were tested on.")
    left_out = serializers.IntegerField(help_text="Examples that only one of them has.")
    differences = serializers.SerializerMethodField()

    def get_text(self, pair: Paired) -> str:
        return problem_text(pair)

    @extend_schema_field(DifferenceSerializer(many=True))
    def get_differences(self, pair: Paired) -> list[dict[str, Any]]:
        return [
            {
                "metric": name,
                "label": metric_label(name),
                "lower_is_better": lower_is_better(name),
                "value": value,
                "low": low,
                "high": high,
            }
            for name, (value, low, high) in pair.differences.items()
        ]


class ComparedVersionSerializer(VersionSerializer):
    metrics = serializers.SerializerMethodField(help_text="Of the test window; null where not measured.")

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(allow_null=True)))
    def get_metrics(self, version: ModelVersion) -> dict[str, float | None]:
        model: dict[str, float | None] = (version.evaluation.get("metrics") or {}).get("model") or {}
        return model


class SideBySideSerializer(serializers.Serializer[Any]):
    reference = serializers.IntegerField(help_text="The version that the others are compared with.")
    versions = ComparedVersionSerializer(many=True)
    pairs = PairSerializer(many=True)


class CompareView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "versions"

    @describe(
        "Versions side by side",
        operation_id="versions_compare",
        description="Differences are paired: both versions on the same draws of the customers that both were "
        "tested on. Where the test windows differ there is nothing to pair, and `problem` says so.",
        parameters=[CompareQuery],
        responses={200: SideBySideSerializer},
    )
    def get(self, request: Request) -> Response:
        asked = self.query(CompareQuery)["ids"]
        try:
            versions = chosen_versions([int(part) for part in asked.split(",")], tenant=self.tenant)
        except NoSuchVersion as error:
            raise Problem(404, str(error)) from error
        except NotComparable as error:
            raise refused("ids", asked, str(error)) from error
        found = {
            "reference": reference_of(versions).pk,
            "versions": versions,
            "pairs": compare(versions),
        }
        return Response(SideBySideSerializer(found, context={"view": self}).data)


class CardQuery(StrictSerializer):
    format = serializers.ChoiceField(
        sorted(FORMATS), default="", help_text="Left out: what `Accept` asks for, JSON if it does not care."
    )


class CardSerializer(serializers.Serializer[Any]):
    """What the model learnt from, how it did, against what, how surely, and where it is weak."""

    agent = serializers.CharField()
    tenant = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    live = serializers.BooleanField()
    gate = serializers.DictField(child=serializers.JSONField())
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]  # a member
    artifact = serializers.DictField(child=serializers.JSONField())
    config = serializers.DictField(child=serializers.JSONField())
    evaluation = serializers.DictField(child=serializers.JSONField())
    made_from = serializers.DictField(
        child=serializers.JSONField(), required=False, help_text="The version whose weights it started from."
    )


class CardView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "versions"

    @describe(
        "A version's model card, as JSON or as one HTML file",
        operation_id="versions_card",
        description="The HTML needs nothing else: no script, no network. It comes as an attachment.",
        parameters=[VERSION_ID, CardQuery],
        responses={(200, "application/json"): CardSerializer, (200, "text/html"): OpenApiTypes.STR},
    )
    def get(self, request: Request, version_id: str) -> HttpResponse | Response:
        wanted = self.query(CardQuery)["format"] or self._accepted()
        version = found_version(self, version_id)
        if wanted == "json":
            return Response(model_card(version, artifact_folder(version)))
        answer = HttpResponse(html_card(version))
        answer["Content-Disposition"] = f'attachment; filename="{card_name(version, "html")}"'
        return answer

    def _accepted(self) -> str:
        accepted = self.request._request.get_preferred_type(list(FORMATS.values()))
        return next((name for name, kind in FORMATS.items() if kind == accepted), "json")
