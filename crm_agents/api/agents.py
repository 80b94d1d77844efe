"""The agents: what each one does, what of it is live, and whether it is at work."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.permissions import VIEW_SCORES
from crm_agents.api.schema import describe
from crm_agents.models import ACTIVE_STATES, Agent, Purpose, ScoringRun, TrainingRun
from crm_agents.recipes import get_recipe
from crm_agents.services.agents import ensure_agents


class LiveSerializer(serializers.Serializer[Any]):
    """The published scores."""

    version = serializers.IntegerField(source="live_version.number")
    version_url = serializers.SerializerMethodField()
    as_of = serializers.DateTimeField(source="live_scoring.as_of", help_text="The moment they speak of.")
    published_at = serializers.DateTimeField(source="live_scoring.published_at", allow_null=True)
    customers = serializers.IntegerField(source="live_scoring.rows")

    @extend_schema_field(serializers.URLField)
    def get_version_url(self, agent: Agent) -> str:
        url: str = self.context["view"].url("version", version_id=agent.live_version_id)
        return url


class AgentSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    config = serializers.DictField(child=serializers.JSONField(), help_text="Overrides of the recipe.")
    live = serializers.SerializerMethodField()
    active_runs = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    def get_title(self, agent: Agent) -> str:
        return str(get_recipe(agent.name).title)

    def get_description(self, agent: Agent) -> str:
        return str(get_recipe(agent.name).description)

    @extend_schema_field(LiveSerializer(allow_null=True))
    def get_live(self, agent: Agent) -> dict[str, Any] | None:
        if agent.live_scoring is None or agent.live_version is None:
            return None
        return dict(LiveSerializer(agent, context=self.context).data)

    @extend_schema_field(serializers.ListField(child=serializers.URLField()))
    def get_active_runs(self, agent: Agent) -> list[str]:
        view = self.context["view"]
        return [view.url("run", run_id=run) for run in self.context["active"].get(agent.pk, [])]

    @extend_schema_field(serializers.URLField)
    def get_url(self, agent: Agent) -> str:
        url: str = self.context["view"].url("agent", name=agent.name)
        return url


class AgentListView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "agents"

    @describe("Every agent", responses={200: AgentSerializer(many=True)}, operation_id="agents_list")
    def get(self, request: Request) -> Response:
        ensure_agents(self.tenant)
        return Response(_answers(self, _agents(self.tenant)))


class AgentView(ApiView):
    required_permissions = {"GET": VIEW_SCORES}
    tag = "agents"

    @describe("One agent", responses={200: AgentSerializer})
    def get(self, request: Request, name: str) -> Response:
        return Response(_answers(self, [self.agent(name)])[0])


def _agents(tenant: str) -> list[Agent]:
    found = Agent.objects.filter(tenant=tenant).select_related("live_scoring", "live_version")
    return [agent for agent in found if _is_registered(agent.name)]


def _is_registered(name: str) -> bool:
    try:
        get_recipe(name)
    except LookupError:
        return False
    return True


def _answers(view: ApiView, agents: list[Agent]) -> list[dict[str, Any]]:
    context = {"view": view, "active": _active_runs(agents)}
    return [dict(AgentSerializer(agent, context=context).data) for agent in agents]


def _active_runs(agents: list[Agent]) -> dict[int, list[Any]]:
    active: dict[int, list[Any]] = {}
    trainings = TrainingRun.objects.filter(purpose=Purpose.TRAIN)
    for runs in (trainings, ScoringRun.objects.all()):
        rows = runs.filter(agent__in=agents, status__in=ACTIVE_STATES)
        for agent, run in rows.values_list("agent_id", "pk"):
            active.setdefault(agent, []).append(run)
    return active
