"""Versions: how each did against the baselines; publishing one, and going back to the one before."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import PROMOTE_VERSION, VIEW_SCORES
from crm_agents.api.problems import Problem, conflict
from crm_agents.api.run_answers import RunSerializer
from crm_agents.api.runs import accepted, cannot_score
from crm_agents.api.schema import ACCEPTED_HEADERS, IDEMPOTENCY_KEY, answered, describe, sent
from crm_agents.api.validation import StrictSerializer
from crm_agents.models import ModelVersion
from crm_agents.models.agent import Verdict
from crm_agents.services.gate import OPERATORS
from crm_agents.services.publishing import GateNotPassed, NothingToRollBackTo, promote_version, roll_back
from crm_agents.services.scoring import NothingToScore
from crm_agents.verdicts import comparison_entries
from handoff.errors import HandoffError

VERSION_ID = OpenApiParameter("version_id", int, OpenApiParameter.PATH)

VERSION_EXAMPLE = {
    "id": 4,
    "agent": "churn",
    "number": 2,
    "gate": "failed",
    "gate_reasons": [
        {
            "metric": "roc_auc",
            "model": 0.7012,
            "sign": ">=",
            "required": 0.7212,
            "passed": False,
            "baseline": "recency_rule",
            "baseline_value": 0.7071,
            "text": "ROC-AUC 0.7012 is not enough to beat 0.7071 (Best “no purchase for N days” rule); "
            "needed: at least 0.7212.",
        }
    ],
    "live": False,
    "created_at": "2026-03-02T10:15:00Z",
    "url": "https://crm.example.com/api/v1/versions/4/",
}


class VersionsQuery(PageQuery):
    agent = serializers.CharField(default="", max_length=64, help_text="Name of the agent.")
    gate = serializers.ChoiceField(Verdict.choices, default="", help_text="Its verdict.")


class ComparisonSerializer(serializers.Serializer[Any]):
    """One condition of the gate; a figure that the evaluation lacks is null.

    Where `sure` is true it is that the lead over the baseline be more than chance, and `bound` is the
    cautious end of its interval.
    """

    metric = serializers.CharField(help_text="For programs, e.g. `roc_auc`.")
    model = serializers.FloatField(allow_null=True, help_text="Of this version, on the test window.")
    sign = serializers.ChoiceField(list(OPERATORS), help_text="How `model` must stand to `required`.")
    required = serializers.FloatField(  # type: ignore[assignment]  # a member of the answer
        allow_null=True
    )
    passed = serializers.BooleanField()
    baseline = serializers.CharField(allow_null=True, help_text="Null: a bound on the version alone.")
    baseline_value = serializers.FloatField(allow_null=True)
    bound = serializers.FloatField(allow_null=True, required=False)
    sure = serializers.BooleanField(required=False)
    text = serializers.CharField(help_text="For people, in the language of the request.")


class VersionSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    agent = serializers.CharField(source="agent.name")
    number = serializers.IntegerField()
    gate = serializers.ChoiceField(Verdict.choices, source="verdict")
    gate_reasons = serializers.SerializerMethodField()
    live = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    @extend_schema_field(ComparisonSerializer(many=True))
    def get_gate_reasons(self, version: ModelVersion) -> list[dict[str, Any]]:
        return comparison_entries(version.verdict_reasons)

    def get_live(self, version: ModelVersion) -> bool:
        return version.agent.live_version_id == version.pk

    @extend_schema_field(serializers.URLField)
    def get_url(self, version: ModelVersion) -> str:
        url: str = self.context["view"].url("version", version_id=version.pk)
        return url


class VersionDetailSerializer(VersionSerializer):
    run_url = serializers.SerializerMethodField()
    snapshot = serializers.CharField(
        source="snapshot.sha256", help_text="SHA-256 of the data it learnt from."
    )
    watermark = serializers.DateTimeField(source="snapshot.watermark")
    artifact_sha256 = serializers.CharField()
    evaluation = serializers.DictField(
        child=serializers.JSONField(),
        help_text="Windows, metrics, baselines, curves, intervals and slices of the test.",
    )

    @extend_schema_field(serializers.URLField)
    def get_run_url(self, version: ModelVersion) -> str:
        url: str = self.context["view"].url("run", run_id=version.run_id)
        return url


class Promotion(StrictSerializer):
    override_reason = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=500,
        help_text="Why a version that did not pass the gate is published all the same; kept in the audit.",
    )


class Nothing(StrictSerializer):
    """A body without members."""


class PromotedSerializer(serializers.Serializer[Any]):
    live_version = serializers.IntegerField(allow_null=True)
    url = serializers.URLField(help_text="Of the live version.", allow_null=True)


class VersionListView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    pagination_class = CursorPaging
    tag = "versions"

    @describe(
        "Versions of the agents, newest first",
        parameters=[VersionsQuery],
        responses={200: VersionSerializer(many=True)},
        examples=[answered("Held back by the gate", VERSION_EXAMPLE)],
    )
    def get(self, request: Request) -> Response:
        query = self.query(VersionsQuery)
        versions = ModelVersion.objects.filter(agent__tenant=self.tenant).select_related("agent")
        if query["agent"]:
            versions = versions.filter(agent__name=query["agent"])
        if query["gate"]:
            versions = versions.filter(verdict=query["gate"])
        return self.page(versions.defer("evaluation"), VersionSerializer, query=query, ordering=("-id",))


class VersionView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "versions"

    @describe(
        "One version and its evaluation", parameters=[VERSION_ID], responses={200: VersionDetailSerializer}
    )
    def get(self, request: Request, version_id: str) -> Response:
        version = found_version(self, version_id)
        return Response(VersionDetailSerializer(version, context={"view": self}).data)


class PromoteView(ApiView):
    required_permissions = {"POST": PROMOTE_VERSION}
    tag = "versions"

    @describe(
        "Publish a version",
        operation_id="versions_promote",
        description="202 and the run where scores must be made first; 200 where they are live now.",
        parameters=[VERSION_ID, IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=Promotion,
        responses={200: PromotedSerializer, 202: RunSerializer},
        examples=[sent("Override", {"override_reason": "The rule is blind to new customers."})],
    )
    @idempotent
    def post(self, request: Request, version_id: str) -> Response:
        version = found_version(self, version_id)
        reason = self.body(Promotion)["override_reason"]
        try:
            scoring = promote_version(version, user=request.user, override_reason=reason)
        except GateNotPassed as error:
            raise conflict("gate-not-passed", _("The version did not pass the gate"), str(error)) from error
        except (NothingToScore, HandoffError) as error:
            raise cannot_score(error) from error
        return accepted(self, scoring) if scoring.is_active else _live(self, version)


class RollbackView(ApiView):
    required_permissions = {"POST": PROMOTE_VERSION}
    tag = "agents"

    @describe(
        "Go back to the version whose scores were live before",
        operation_id="agents_rollback",
        parameters=[IDEMPOTENCY_KEY],
        request=Nothing,
        responses={200: PromotedSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        self.body(Nothing)
        agent = self.agent(name)
        try:
            scoring = roll_back(agent, user=request.user)
        except NothingToRollBackTo as error:
            title = _("There is nothing to go back to")
            raise conflict("nothing-to-roll-back-to", title, str(error)) from error
        return _live(self, scoring.version)


def _live(view: ApiView, version: ModelVersion) -> Response:
    return Response({"live_version": version.number, "url": view.url("version", version_id=version.pk)})


def found_version(view: ApiView, version_id: str) -> ModelVersion:
    """Return a version of the tenant. Raises Problem (404)."""
    related = ("agent", "snapshot", "run", "parent__agent")
    known = ModelVersion.objects.select_related(*related).filter(agent__tenant=view.tenant)
    number = int(version_id) if version_id.isascii() and version_id.isdecimal() else 0
    version = known.filter(pk=number).first()
    if version is None:
        raise Problem(404, _("There is no version %(id)s.") % {"id": version_id})
    return version
