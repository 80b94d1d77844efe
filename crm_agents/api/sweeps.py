"""Sweeps and range tests: what prepares a training, over REST."""

import uuid
from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import MANAGE_RUNS
from crm_agents.api.problems import InvalidInput, conflict, refused
from crm_agents.api.run_answers import RunSerializer
from crm_agents.api.runs import SCOPES, accepted, already_active
from crm_agents.api.schema import ACCEPTED_HEADERS, IDEMPOTENCY_KEY, describe, sent
from crm_agents.api.validation import JSONObjectField, StrictSerializer
from crm_agents.models import Purpose, RunStatus, Sweep, SweepKind, SweepStatus, TrainingRun
from crm_agents.services.runs import RunAlreadyActive, planned_config, start_run
from crm_agents.services.tuning.results import best_trial, parameters_of, trials_of
from crm_agents.services.tuning.space import default_space
from crm_agents.services.tuning.sweeps import (
    MOST_PARALLEL,
    MOST_TRIALS,
    PRUNERS,
    SweepAlreadyRunning,
    resume_sweep,
    start_sweep,
    stop_sweep,
)
from handoff.config import BACKBONES
from handoff.errors import HandoffError

if TYPE_CHECKING:
    from crm_agents.models import Agent

SWEEP_ID = OpenApiParameter("sweep_id", uuid.UUID, OpenApiParameter.PATH)
SPACE_HELP = (
    "By setting: `float` and `int` with `low` and `high` (and `log`, `step`), or `choice` with `values`. "
    "Empty: all backbones in a comparison, the agent's surroundings in a search."
)


class SweepsQuery(PageQuery):
    status = serializers.ChoiceField(SweepStatus.choices, default="")


class SweepInput(StrictSerializer):
    method = serializers.ChoiceField(SweepKind.choices, default=SweepKind.SEARCH)
    space = JSONObjectField(default=dict, help_text=SPACE_HELP)
    config = JSONObjectField(default=dict, help_text="Overrides that all trials share.")
    trials = serializers.IntegerField(default=20, min_value=1, max_value=MOST_TRIALS)
    parallel = serializers.IntegerField(default=1, min_value=1, max_value=MOST_PARALLEL)
    pruner = serializers.ChoiceField(PRUNERS, default="median")
    minutes = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=100_000, help_text="No trial begins later."
    )
    seed = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1)
    train_best = serializers.BooleanField(default=False, help_text="Then start a full run with the best.")


class RangeTestInput(StrictSerializer):
    config = JSONObjectField(default=dict, help_text="Overrides of the agent's training configuration.")


class TrialSerializer(serializers.Serializer[Any]):
    """One trial: a run whose settings are the sweep's `config` and these parameters."""

    number = serializers.IntegerField(source="trial")
    status = serializers.ChoiceField(RunStatus.choices)
    parameters = serializers.SerializerMethodField()
    value = serializers.FloatField(allow_null=True, help_text="The sweep's metric on the validation window.")
    reached = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="Pairs of epoch and value."
    )
    error = serializers.CharField(allow_blank=True)
    run = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=serializers.JSONField()))
    def get_parameters(self, trial: TrainingRun) -> dict[str, Any]:
        return parameters_of(self.context["sweep"], trial)

    @extend_schema_field(serializers.URLField)
    def get_run(self, trial: TrainingRun) -> str:
        url: str = self.context["view"].url("run", run_id=trial.pk)
        return url


class SweepSerializer(serializers.Serializer[Any]):
    """Trials of one agent on one snapshot and split, compared by the validation window."""

    id = serializers.UUIDField()
    agent = serializers.CharField(source="agent.name")
    method = serializers.ChoiceField(SweepKind.choices, source="kind")
    # Text, since OpenAPI generators name one type for each field name, and runs have a `status` too.
    status = serializers.CharField(help_text="running, stopped, succeeded or failed")
    metric = serializers.CharField()
    space = serializers.DictField(child=serializers.JSONField())
    config = serializers.DictField(child=serializers.JSONField())
    planned = serializers.IntegerField()
    parallel = serializers.IntegerField()
    pruner = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)
    seed = serializers.IntegerField()
    train_best = serializers.BooleanField()
    importance = serializers.DictField(child=serializers.FloatField())
    error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField()

    @extend_schema_field(serializers.URLField)
    def get_url(self, sweep: Sweep) -> str:
        url: str = self.context["view"].url("sweep", sweep_id=sweep.pk)
        return url


class SweepDetailSerializer(SweepSerializer):
    best = serializers.SerializerMethodField()
    trials = serializers.SerializerMethodField()

    @extend_schema_field(serializers.IntegerField(allow_null=True, help_text="Number of the best trial."))
    def get_best(self, sweep: Sweep) -> int | None:
        best = best_trial(self.context["trials"])
        return best.trial if best else None

    @extend_schema_field(TrialSerializer(many=True))
    def get_trials(self, sweep: Sweep) -> list[dict[str, Any]]:
        context = {**self.context, "sweep": sweep}
        return list(TrialSerializer(self.context["trials"], many=True, context=context).data)


def written(view: ApiView, sweep: Sweep) -> dict[str, Any]:
    context = {"view": view, "trials": trials_of(sweep)}
    return dict(SweepDetailSerializer(sweep, context=context).data)


class SweepListView(ApiView):
    required_permissions = {"GET": MANAGE_RUNS, "POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    pagination_class = CursorPaging
    tag = "sweeps"

    @describe(
        "Sweeps of an agent, newest first",
        parameters=[SweepsQuery],
        responses={200: SweepSerializer(many=True)},
    )
    def get(self, request: Request, name: str) -> Response:
        query = self.query(SweepsQuery)
        sweeps = self.agent(name).sweeps.select_related("agent")
        if query["status"]:
            sweeps = sweeps.filter(status=query["status"])
        return self.page(sweeps, SweepSerializer, query=query, ordering=("-created_at", "pk"))

    @describe(
        "Search settings, or compare some",
        operation_id="agents_sweeps_start",
        description="Trials never see the test window. A comparison tries every combination of its "
        "choices; a search goes by what earlier trials reached.",
        parameters=[IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=SweepInput,
        responses={202: SweepDetailSerializer},
        examples=[
            sent("Compare all backbones", {"method": "comparison"}),
            sent(
                "Search two settings",
                {
                    "space": {
                        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.01, "log": True},
                        "width": {"type": "choice", "values": [32, 64, 128]},
                    },
                    "trials": 12,
                },
            ),
        ],
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        asked = self.body(SweepInput)
        agent = self.agent(name)
        kind, given = asked.pop("method"), asked.pop("space")
        try:
            space = given or _usual_space(agent, kind, asked["config"])
            sweep = start_sweep(agent, kind=kind, space=space, user=request.user, **asked)
        except SweepAlreadyRunning as error:
            raise _already_running(self, error) from error
        except HandoffError as error:
            raise _bad(error, {**asked, "space": given}) from error
        return _accepted(self, sweep)


class SweepView(ApiView):
    required_permissions = {"GET": MANAGE_RUNS}
    tag = "sweeps"

    @describe("One sweep and its trials", parameters=[SWEEP_ID], responses={200: SweepDetailSerializer})
    def get(self, request: Request, sweep_id: str) -> Response:
        return Response(written(self, _sweep(self, sweep_id)))


class StopSweepView(ApiView):
    required_permissions = {"POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "sweeps"

    @describe(
        "Stop a sweep; its finished trials are kept",
        operation_id="sweeps_stop",
        parameters=[SWEEP_ID, IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=None,
        responses={202: SweepDetailSerializer},
    )
    @idempotent
    def post(self, request: Request, sweep_id: str) -> Response:
        sweep = _sweep(self, sweep_id)
        if sweep.status != SweepStatus.RUNNING:
            title = _("The sweep does not go on")
            raise conflict("sweep-not-running", title, _("There is nothing to stop."))
        stop_sweep(sweep, user=request.user)
        return _accepted(self, sweep)


class ResumeSweepView(ApiView):
    required_permissions = {"POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "sweeps"

    @describe(
        "Go on with a stopped sweep",
        operation_id="sweeps_resume",
        parameters=[SWEEP_ID, IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=None,
        responses={202: SweepDetailSerializer},
    )
    @idempotent
    def post(self, request: Request, sweep_id: str) -> Response:
        sweep = _sweep(self, sweep_id)
        if sweep.status != SweepStatus.STOPPED:
            title = _("The sweep was not stopped")
            raise conflict("sweep-not-stopped", title, _("Only a stopped sweep can go on."))
        try:
            resume_sweep(sweep, user=request.user)
        except SweepAlreadyRunning as error:
            raise _already_running(self, error) from error
        return _accepted(self, sweep)


class RangeTestView(ApiView):
    required_permissions = {"POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "runs"

    @describe(
        "Find a learning rate; the run's `report` will hold the curve and the rate it suggests",
        operation_id="agents_range_test",
        parameters=[IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=RangeTestInput,
        responses={202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        config = self.body(RangeTestInput)["config"]
        agent = self.agent(name)
        try:
            run = start_run(agent, user=request.user, config=config, purpose=Purpose.RANGE_TEST)
        except RunAlreadyActive as error:
            raise already_active(self, error, error.run) from error
        except HandoffError as error:
            raise refused("config", config, str(error)) from error
        return accepted(self, run)


def _usual_space(agent: "Agent", kind: str, config: dict[str, Any]) -> dict[str, Any]:
    if kind == SweepKind.COMPARISON:
        return {"backbone": {"type": "choice", "values": list(BACKBONES)}}
    around = default_space(planned_config(agent, config))
    return {name: entry for name, entry in around.items() if name not in config}


def _accepted(view: ApiView, sweep: Sweep) -> Response:
    return Response(
        written(view, sweep), status=202, headers={"Location": view.url("sweep", sweep_id=sweep.pk)}
    )


def _bad(error: HandoffError, asked: dict[str, Any]) -> InvalidInput:
    """Name the member of the body that an error is about: "space.dropout.low is …" is about `space`."""
    first = str(error).split(" ", 1)[0].partition(".")[0]
    member = first if first in asked else "config"
    return refused(member, asked[member], str(error))


def _already_running(view: ApiView, error: SweepAlreadyRunning) -> Exception:
    url = view.url("sweep", sweep_id=error.sweep.pk)
    title = _("A sweep of this agent goes on")
    return conflict("sweep-already-running", title, str(error), sweep=url)


def _sweep(view: ApiView, sweep_id: str) -> Sweep:
    try:
        key = uuid.UUID(sweep_id)
    except ValueError as error:
        raise Http404 from error
    found = Sweep.objects.select_related("agent").filter(pk=key, agent__tenant=view.tenant).first()
    if found is None:
        raise Http404
    return found
