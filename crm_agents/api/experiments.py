"""Experiments over REST: start, stop and measure them, and read what they found."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.problems import Problem, conflict, refused
from crm_agents.api.schema import IDEMPOTENCY_KEY, answered, describe, sent
from crm_agents.api.validation import StrictSerializer
from crm_agents.api.versions import Nothing
from crm_agents.experiment_words import cautions, verdict
from crm_agents.models import EndedFor, Experiment, ExperimentKind, Treatment
from crm_agents.services.experiments.starting import (
    DAYS,
    SHARES,
    BadExperiment,
    CannotExperiment,
    ExperimentAlreadyRunning,
    ExperimentHasEnded,
    send,
    start_experiment,
    stop_experiment,
)
from handoff.errors import HandoffError

MANAGE_EXPERIMENTS = "crm_agents.manage_experiments"
EXPERIMENT_ID = OpenApiParameter("experiment_id", int, OpenApiParameter.PATH)

EXAMPLE = {
    "id": 3,
    "agent": "recommender",
    "kind": "control",
    "share": 0.1,
    "treatment": "popularity",
    "version": 4,
    "rival": None,
    "horizon_days": 28,
    "started_at": "2026-03-02T09:00:00Z",
    "started_by": "manager",
    "ended_at": None,
    "ended_for": "",
    "customers": 5878,
    "measured_at": "2026-03-12T03:40:00Z",
    "text": "No difference can be told from chance. Bought since: 21.3 % (Shown the agent's answers), 20.1 % "
    "(Control group). The difference is +6.0 %, and lies between -9.8 % and +21.8 % with 95 % confidence.",
    "cautions": ["So many customers show a difference of 22.6 % or more four times out of five."],
    "result": {"version": 1, "over": False, "customers": [588, 5290]},
}


class ExperimentInput(StrictSerializer):
    kind = serializers.ChoiceField(ExperimentKind.choices, default=ExperimentKind.CONTROL)
    share = serializers.FloatField(
        default=0.1,
        min_value=SHARES[0],
        max_value=SHARES[1],
        help_text="Of the customers: in the control group, or shown version B.",
    )
    treatment = serializers.ChoiceField(
        Treatment.choices,
        default="",
        allow_blank=True,
        help_text="What the control group is shown; left out, what the agent offers best.",
    )
    horizon_days = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=DAYS[0],
        max_value=DAYS[1],
        help_text="So many days count; left out, as many as the agent looks ahead.",
    )


class ExperimentSerializer(serializers.Serializer[Any]):
    """Customers drawn by a hash, shown something else than the others, and what came of it."""

    id = serializers.IntegerField()
    agent = serializers.CharField(source="agent.name")
    kind = serializers.ChoiceField(ExperimentKind.choices)
    share = serializers.FloatField()
    treatment = serializers.ChoiceField(Treatment.choices, allow_blank=True)
    version = serializers.IntegerField(
        source="version.number", default=None, allow_null=True, help_text="Live at the start; version A."
    )
    rival = serializers.IntegerField(
        source="rival.number", default=None, allow_null=True, help_text="Version B."
    )
    horizon_days = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    started_by = serializers.SerializerMethodField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_for = serializers.ChoiceField(EndedFor.choices, allow_blank=True)
    customers = serializers.IntegerField(
        source="enrolled", allow_null=True, help_text="Who take part; null until a worker has counted."
    )
    measured_at = serializers.DateTimeField(allow_null=True)
    text = serializers.SerializerMethodField()
    cautions = serializers.SerializerMethodField()
    result = serializers.DictField(
        child=serializers.JSONField(),
        help_text="The figures, for programs: means of both arms, the difference, its 95 % interval.",
    )

    def get_started_by(self, experiment: Experiment) -> str | None:
        return experiment.started_by.get_username() if experiment.started_by else None

    def get_text(self, experiment: Experiment) -> str:
        """What it says, for people, in the language of the request."""
        return verdict(experiment)[1]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_cautions(self, experiment: Experiment) -> list[str]:
        """What to know before believing it."""
        return [sentence for _tone, sentence in cautions(experiment)]


class ExperimentListView(ApiView):
    required_permissions = {"GET": VIEW_SCORES, "POST": MANAGE_EXPERIMENTS}
    pagination_class = CursorPaging
    tag = "experiments"

    @describe(
        "An agent's experiments, newest first",
        operation_id="experiments_list",
        parameters=[PageQuery],
        responses={200: ExperimentSerializer(many=True)},
        examples=[answered("A control group", EXAMPLE)],
    )
    def get(self, request: Request, name: str) -> Response:
        query = self.query(PageQuery)
        found = _experiments().filter(agent=self.agent(name))
        return self.page(found, ExperimentSerializer, query=query, ordering=("-id",))

    @describe(
        "Start an experiment",
        operation_id="experiments_start",
        description="A control group is shown what is popular with everyone, or nothing; or a share of the "
        "customers is shown the version in the shadow. What readers see changes at once.",
        parameters=[IDEMPOTENCY_KEY],
        request=ExperimentInput,
        responses={201: ExperimentSerializer},
        examples=[sent("A control group of a tenth", {"kind": "control", "share": 0.1})],
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        values = self.body(ExperimentInput)
        agent = self.agent(name)
        try:
            started = start_experiment(agent, user=request.user, **values)
        except BadExperiment as error:
            raise refused(error.field, error.value, str(error)) from error
        except (CannotExperiment, HandoffError) as error:
            raise conflict("cannot-experiment", _("There is nothing to try out"), str(error)) from error
        except ExperimentAlreadyRunning as error:
            title = _("An experiment goes on already")
            raise conflict("experiment-running", title, str(error), experiment=error.experiment.pk) from error
        return _answer(self, started.pk, status=201)


class ExperimentView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "experiments"

    @describe(
        "One experiment and what it found",
        operation_id="experiments_read",
        parameters=[EXPERIMENT_ID],
        responses={200: ExperimentSerializer},
    )
    def get(self, request: Request, experiment_id: str) -> Response:
        return _answer(self, _found(self, experiment_id).pk)


class StopExperimentView(ApiView):
    required_permissions = {"POST": MANAGE_EXPERIMENTS}
    tag = "experiments"

    @describe(
        "Stop an experiment",
        operation_id="experiments_stop",
        description="Everybody is shown the same again, at once. It cannot be taken up again.",
        parameters=[EXPERIMENT_ID, IDEMPOTENCY_KEY],
        request=Nothing,
        responses={200: ExperimentSerializer},
    )
    @idempotent
    def post(self, request: Request, experiment_id: str) -> Response:
        self.body(Nothing)
        experiment = _found(self, experiment_id)
        try:
            stop_experiment(experiment, user=request.user)
        except ExperimentHasEnded as error:
            raise conflict("experiment-ended", _("The experiment has ended"), str(error)) from error
        return _answer(self, experiment.pk)


class MeasureExperimentView(ApiView):
    required_permissions = {"POST": MANAGE_EXPERIMENTS}
    throttle_scopes = {"POST": "crm_agents.runs"}
    tag = "experiments"

    @describe(
        "Measure an experiment now",
        operation_id="experiments_measure",
        description="A worker does it; `measured_at` tells when it has. It is measured daily in any case.",
        parameters=[EXPERIMENT_ID, IDEMPOTENCY_KEY],
        request=Nothing,
        responses={202: ExperimentSerializer},
    )
    @idempotent
    def post(self, request: Request, experiment_id: str) -> Response:
        self.body(Nothing)
        experiment = _found(self, experiment_id)
        send(experiment)
        return _answer(self, experiment.pk, status=202)


def _experiments() -> Any:
    return Experiment.objects.select_related("agent", "version", "rival", "started_by")


def _found(view: ApiView, experiment_id: str) -> Experiment:
    key = int(experiment_id) if experiment_id.isascii() and experiment_id.isdecimal() else 0
    mine = _experiments().filter(agent__tenant=view.tenant)
    found: Experiment | None = mine.filter(pk=key).first() if key < 2**63 else None
    if found is None:
        raise Problem(404, _("There is no experiment %(id)s.") % {"id": experiment_id})
    return found


def _answer(view: ApiView, key: int, *, status: int = 200) -> Response:
    data = ExperimentSerializer(_experiments().get(pk=key), context={"view": view}).data
    return Response(data, status=status)
