"""What becomes of scores: alerts, the shadow, and a version's folder to take elsewhere."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.alerts import alert_sentence, remedy
from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import PROMOTE_VERSION, VIEW_SCORES
from crm_agents.api.problems import Problem, conflict
from crm_agents.api.run_answers import RunSerializer
from crm_agents.api.runs import accepted, cannot_score
from crm_agents.api.schema import ACCEPTED_HEADERS, IDEMPOTENCY_KEY, answered, describe
from crm_agents.api.versions import VERSION_ID, Nothing, found_version
from crm_agents.folders import artifact_folder, artifact_root
from crm_agents.models import Alert, AlertKind
from crm_agents.services.scoring import NothingToScore
from crm_agents.services.shadowing import IsLive, NoShadow, end_shadow, shadow_version
from crm_agents.services.watching.alerting import AlertIsClosed, close_alert
from crm_agents.zipping import zip_response
from handoff.artifact import check_artifact
from handoff.errors import HandoffError

MANAGE_AGENTS = "crm_agents.manage_agents"
ALERT_ID = OpenApiParameter("alert_id", int, OpenApiParameter.PATH)

ALERT_EXAMPLE = {
    "id": 7,
    "agent": "churn",
    "kind": "input_drift",
    "text": "1 input of v3 lies further from its test than 0.25 (PSI): orders_90 (0.61).",
    "remedy": "See whether an import or the business has changed; if it has, train anew.",
    "open": True,
    "opened_at": "2026-03-02T03:40:00Z",
    "closed_at": None,
    "closed_by": None,
    "detail": {"version": 3, "limit": 0.25, "features": [{"name": "orders_90", "psi": 0.61}]},
    "scoring_url": "https://crm.example.com/api/v1/runs/4f0d8b8e-5f0e-4a53-9c39-0f4b3f1f2a11/",
}


class AlertsQuery(PageQuery):
    agent = serializers.CharField(default="", max_length=64, help_text="Name of the agent.")
    kind = serializers.ChoiceField(AlertKind.choices, default="", help_text="What it is about.")
    open = serializers.BooleanField(
        default=None, allow_null=True, help_text="Only open, or only closed ones."
    )


class AlertSerializer(serializers.Serializer[Any]):
    """Something about a live agent that a person should look at."""

    id = serializers.IntegerField()
    agent = serializers.CharField(source="agent.name")
    kind = serializers.ChoiceField(AlertKind.choices)
    text = serializers.SerializerMethodField()
    remedy = serializers.SerializerMethodField()
    open = serializers.SerializerMethodField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.SerializerMethodField()
    detail = serializers.DictField(child=serializers.JSONField(), help_text="The figures, for programs.")
    scoring_url = serializers.SerializerMethodField()

    def get_text(self, alert: Alert) -> str:
        """For people, in the language of the request."""
        return alert_sentence(alert)

    def get_remedy(self, alert: Alert) -> str:
        """What a person may do about it."""
        return remedy(alert.kind)

    def get_open(self, alert: Alert) -> bool:
        return alert.closed_at is None

    def get_closed_by(self, alert: Alert) -> str | None:
        """Null too where it went away by itself."""
        return alert.closed_by.get_username() if alert.closed_by else None

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_scoring_url(self, alert: Alert) -> str | None:
        view = self.context["view"]
        return view.url("run", run_id=alert.scoring_id) if alert.scoring_id else None


class AlertListView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    pagination_class = CursorPaging
    tag = "watching"

    @describe(
        "Alerts, newest first",
        operation_id="alerts_list",
        parameters=[AlertsQuery],
        responses={200: AlertSerializer(many=True)},
        examples=[answered("Drift", ALERT_EXAMPLE)],
    )
    def get(self, request: Request) -> Response:
        query = self.query(AlertsQuery)
        alerts = Alert.objects.filter(agent__tenant=self.tenant).select_related("agent", "closed_by")
        if query["agent"]:
            alerts = alerts.filter(agent__name=query["agent"])
        if query["kind"]:
            alerts = alerts.filter(kind=query["kind"])
        if query["open"] is not None:
            alerts = alerts.filter(closed_at__isnull=query["open"])
        return self.page(alerts, AlertSerializer, query=query, ordering=("-id",))


class CloseAlertView(ApiView):
    required_permissions = {"POST": MANAGE_AGENTS}
    tag = "watching"

    @describe(
        "Close an alert that has been seen to",
        operation_id="alerts_close",
        description="It opens again when something else is wrong.",
        parameters=[ALERT_ID, IDEMPOTENCY_KEY],
        request=Nothing,
        responses={200: AlertSerializer},
    )
    @idempotent
    def post(self, request: Request, alert_id: str) -> Response:
        self.body(Nothing)
        number = int(alert_id) if alert_id.isascii() and alert_id.isdecimal() else 0
        mine = Alert.objects.select_related("agent", "closed_by").filter(agent__tenant=self.tenant)
        alert = mine.filter(pk=number).first() if number < 2**63 else None
        if alert is None:
            raise Problem(404, _("There is no alert %(id)s.") % {"id": alert_id})
        try:
            close_alert(alert, user=request.user)
        except AlertIsClosed as error:
            raise conflict("alert-closed", _("The alert is closed"), str(error)) from error
        return Response(AlertSerializer(alert, context={"view": self}).data)


class ShadowSerializer(serializers.Serializer[Any]):
    shadow_version = serializers.IntegerField(allow_null=True)


class ShadowView(ApiView):
    required_permissions = {"POST": PROMOTE_VERSION, "DELETE": PROMOTE_VERSION}
    throttle_scopes = {"POST": "crm_agents.runs", "DELETE": "crm_agents.write"}
    http_method_names = ["post", "delete"]
    tag = "versions"

    @describe(
        "Score with a version in the shadow",
        operation_id="versions_shadow",
        description="Beside the live version, from now on; its scores are shown to nobody.",
        parameters=[VERSION_ID, IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=Nothing,
        responses={202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, version_id: str) -> Response:
        self.body(Nothing)
        version = found_version(self, version_id)
        try:
            scoring = shadow_version(version, user=request.user)
        except IsLive as error:
            raise conflict("version-is-live", _("The version is live"), str(error)) from error
        except (NothingToScore, HandoffError) as error:
            raise cannot_score(error) from error
        return accepted(self, scoring)

    @describe(
        "End the shadow",
        operation_id="versions_end_shadow",
        parameters=[VERSION_ID, IDEMPOTENCY_KEY],
        responses={200: ShadowSerializer},
    )
    @idempotent
    def delete(self, request: Request, version_id: str) -> Response:
        version = found_version(self, version_id)
        try:
            if version.agent.shadow_version_id != version.pk:
                raise NoShadow(version.agent)
            end_shadow(version.agent, user=request.user)
        except NoShadow as error:
            raise conflict("not-in-the-shadow", _("It is not in the shadow"), str(error)) from error
        return Response({"shadow_version": None})


class ArtifactView(ApiView):
    required_permissions = {"GET": PROMOTE_VERSION}
    read_problems = ("409",)  # a damaged folder
    tag = "versions"

    @describe(
        "Download a version's folder",
        operation_id="versions_artifact",
        description="A zip that is sent while it is made: see the guide on using a version elsewhere.",
        parameters=[VERSION_ID],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, version_id: str) -> Any:
        version = found_version(self, version_id)
        folder = artifact_folder(version)
        try:
            check_artifact(folder, root=artifact_root(), sha256=version.artifact_sha256)
        except HandoffError as error:
            title = _("The version's folder is damaged")
            raise conflict("artifact-damaged", title, str(error)) from error
        return zip_response(folder, f"{version.agent.name}-v{version.number}")
