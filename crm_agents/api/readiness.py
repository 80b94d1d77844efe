"""The data check of an agent: what the newest one found, and starting another."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.permissions import MANAGE_RUNS, VIEW_SCORES
from crm_agents.api.problems import refused
from crm_agents.api.run_answers import RunSerializer
from crm_agents.api.runs import SCOPES, accepted, already_active
from crm_agents.api.schema import ACCEPTED_HEADERS, IDEMPOTENCY_KEY, describe
from crm_agents.models import Agent, Purpose
from crm_agents.readiness_words import finding_entries
from crm_agents.services.preparation import active_check, newest_check
from crm_agents.services.runs import RunAlreadyActive, planned_config, start_run
from handoff.errors import HandoffError
from handoff.inspection import SEVERITIES


class FindingSerializer(serializers.Serializer[Any]):
    """One thing to know of the data."""

    code = serializers.CharField(help_text="For programs; see handoff/inspection.py.")
    severity = serializers.ChoiceField(SEVERITIES)
    severity_label = serializers.CharField()
    field = serializers.CharField(allow_blank=True, help_text="`events.amount`, `attributes.country` …")
    facts = serializers.DictField(child=serializers.JSONField(allow_null=True))
    text = serializers.CharField(help_text="For people, in the language of the request.")
    remedy = serializers.CharField(allow_blank=True, help_text="What to do.")


class ReadinessSerializer(serializers.Serializer[Any]):
    agent = serializers.CharField()
    ready = serializers.BooleanField(
        allow_null=True, help_text="Nothing must be solved first; null where the data were never checked."
    )
    checked_at = serializers.DateTimeField(allow_null=True)
    run = serializers.URLField(allow_null=True, help_text="Of the newest check that succeeded.")
    active_run = serializers.URLField(allow_null=True, help_text="Of the check under way.")
    findings = FindingSerializer(many=True, help_text="The worst first.")
    report = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text="All facts: rows, customers, kinds, nulls, outliers, balance, minimum, leakage.",
    )
    excluded = serializers.ListField(child=serializers.CharField(), help_text="Fields that are left out.")
    cleaning = serializers.DictField(child=serializers.JSONField())


class ReadinessView(ApiView):
    required_permissions = {"GET": VIEW_SCORES, "POST": MANAGE_RUNS}
    throttle_scopes = SCOPES
    tag = "agents"

    @describe(
        "What is wrong with an agent's data, by the newest check",
        operation_id="agents_readiness",
        responses={200: ReadinessSerializer},
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(_answer(self, self.agent(name)))

    @describe(
        "Check an agent's data anew",
        operation_id="agents_readiness_check",
        parameters=[IDEMPOTENCY_KEY, *ACCEPTED_HEADERS],
        request=None,
        responses={202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        agent = self.agent(name)
        try:
            return accepted(self, start_run(agent, user=request.user, purpose=Purpose.INSPECT))
        except RunAlreadyActive as error:
            raise already_active(self, error, error.run) from error
        except HandoffError as error:
            raise refused("config", agent.config, str(error)) from error


def _answer(view: ApiView, agent: Agent) -> dict[str, Any]:
    config = planned_config(agent, {})
    check, active = newest_check(agent), active_check(agent)
    report = check.report if check else {}
    findings = finding_entries(report.get("findings", []))
    return {
        "agent": agent.name,
        "ready": all(finding["severity"] != "stop" for finding in findings) if check else None,
        "checked_at": check.finished_at if check else None,
        "run": view.url("run", run_id=check.pk) if check else None,
        "active_run": view.url("run", run_id=active.pk) if active else None,
        "findings": findings,
        "report": report,
        "excluded": list(config.excluded),
        "cleaning": vars(config.cleaning),
    }
