"""Runs: starting, following and cancelling long work. The answer to a start is 202 and the run's URL."""

import uuid

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import MANAGE_RUNS
from crm_agents.api.problems import conflict, refused
from crm_agents.api.run_answers import RUN_EXAMPLE, Run, RunSerializer, written
from crm_agents.api.schema import ACCEPTED_HEADERS, IDEMPOTENCY_KEY, answered, describe, sent
from crm_agents.api.validation import JSONObjectField, StrictSerializer
from crm_agents.models import Purpose, RunStatus, ScoringRun, TrainingRun
from crm_agents.services.runs import RunAlreadyActive, cancel_run, start_run
from crm_agents.services.scoring import (
    NothingToScore,
    ScoringAlreadyActive,
    cancel_scorings,
    start_scoring,
)
from handoff.errors import HandoffError

RUN_ID = OpenApiParameter("run_id", uuid.UUID, OpenApiParameter.PATH)
SCOPES = {"GET": "crm_agents.read", "POST": "crm_agents.runs"}


class RunsQuery(PageQuery):
    status = serializers.ChoiceField(RunStatus.choices, default="")
    purpose = serializers.ChoiceField(Purpose.choices, default=Purpose.TRAIN)


class RunInput(StrictSerializer):
    config = JSONObjectField(default=dict, help_text="Overrides of the agent's training configuration.")
    publish = serializers.BooleanField(default=True, help_text="Go live when the gate is passed.")


class ScoreInput(StrictSerializer):
    version = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, help_text="Number of a version; the live one by default."
    )


def accepted(view: ApiView, run: Run) -> Response:
    """Answer 202 with the run, and its URL as `Location`."""
    response = Response(written(view, run), status=202, headers={"Location": view.url("run", run_id=run.pk)})
    # The message to the workers leaves at commit; a notice of what holds it up belongs into the answer.
    transaction.on_commit(lambda: response.data.update(written(view, run)))
    return response


def already_active(view: ApiView, error: Exception, run: Run) -> Exception:
    url = view.url("run", run_id=run.pk)
    return conflict("run-already-active", _("A run of this agent is active"), str(error), run=url)


def cannot_score(error: NothingToScore | HandoffError) -> Exception:
    return conflict("nothing-to-score", _("There is nothing to score with"), str(error))


class RunListView(ApiView):
    required_permissions = {"GET": MANAGE_RUNS, "POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    pagination_class = CursorPaging
    tag = "runs"

    @describe(
        "Runs of an agent, newest first: trainings, or those of another purpose",
        parameters=[RunsQuery],
        responses={200: RunSerializer(many=True)},
    )
    def get(self, request: Request, name: str) -> Response:
        query = self.query(RunsQuery)
        runs = self.agent(name).runs.select_related("agent", "started_by", "version").defer("log_tail")
        runs = runs.filter(purpose=query["purpose"])
        if query["status"]:
            runs = runs.filter(status=query["status"])
        return self.page(runs, RunSerializer, query=query, ordering=("-created_at", "pk"))

    @describe(
        "Start training",
        operation_id="agents_runs_start",
        description="`notice` says so where the message to the workers could not be sent; the run starts "
        "as soon as it can.",
        parameters=[IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=RunInput,
        responses={202: RunSerializer},
        examples=[
            sent("Try a shorter training", {"config": {"epochs": 2}, "publish": False}),
            answered("Queued", RUN_EXAMPLE, 202),
        ],
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        asked = self.body(RunInput)
        agent = self.agent(name)
        try:
            run = start_run(agent, user=request.user, config=asked["config"], publish=asked["publish"])
        except RunAlreadyActive as error:
            raise already_active(self, error, error.run) from error
        except HandoffError as error:
            raise refused("config", asked["config"], str(error)) from error
        return accepted(self, run)


class ScoreView(ApiView):
    required_permissions = {"POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "runs"

    @describe(
        "Score every customer anew with the live version or another one",
        operation_id="agents_score",
        parameters=[IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=ScoreInput,
        responses={202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        number = self.body(ScoreInput)["version"]
        agent = self.agent(name)
        version = agent.versions.filter(number=number).first() if number else None
        if number and version is None:
            raise refused("version", number, _("The agent has no version of this number."))
        try:
            return accepted(self, start_scoring(agent, version=version, user=request.user))
        except ScoringAlreadyActive as error:
            raise already_active(self, error, error.scoring) from error
        except (NothingToScore, HandoffError) as error:
            raise cannot_score(error) from error


class RunView(ApiView):
    required_permissions = {"GET": MANAGE_RUNS}
    tag = "runs"

    @describe("One run and its progress", parameters=[RUN_ID], responses={200: RunSerializer})
    def get(self, request: Request, run_id: str) -> Response:
        return Response(written(self, _run(self, run_id)))


class CancelView(ApiView):
    required_permissions = {"POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "runs"

    @describe(
        "Cancel a run; the worker stops it within seconds",
        operation_id="runs_cancel",
        parameters=[RUN_ID, IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=None,
        responses={202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, run_id: str) -> Response:
        run = _run(self, run_id)
        if not run.is_active:
            raise conflict("run-finished", _("The run has ended"), _("There is nothing left to cancel."))
        if isinstance(run, TrainingRun):
            cancel_run(run, user=request.user)
        else:
            cancel_scorings(run.agent, user=request.user, shadow=run.shadow)
        return accepted(self, _run(self, run_id))


def _run(view: ApiView, run_id: str) -> Run:
    try:
        key = uuid.UUID(run_id)
    except ValueError as error:
        raise Http404 from error
    training = TrainingRun.objects.select_related("agent", "started_by", "version")
    run = training.filter(pk=key, agent__tenant=view.tenant).first()
    if run is not None:
        return run
    scoring = ScoringRun.objects.select_related("agent").filter(pk=key, agent__tenant=view.tenant).first()
    if scoring is None:
        raise Http404
    return scoring
