"""Every endpoint. A host includes this module under the prefix of its choice."""

from collections import Counter
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, path

from crm_agents.api.agents import AgentListView, AgentView
from crm_agents.api.comparing import CardView, CompareView
from crm_agents.api.customers import CustomerDetailView, CustomerListView
from crm_agents.api.docs import DocsView, SchemaView
from crm_agents.api.experiments import (
    ExperimentListView,
    ExperimentView,
    MeasureExperimentView,
    StopExperimentView,
)
from crm_agents.api.feedback import FeedbackView
from crm_agents.api.interactions import InteractionsView
from crm_agents.api.labelling import (
    AnnotationsView,
    LabelExportView,
    LabelSetListView,
    LabelSetView,
    NextItemView,
)
from crm_agents.api.privacy import DerivedView, ExportView, OptOutView
from crm_agents.api.readiness import ReadinessView
from crm_agents.api.runs import CancelView, RunListView, RunView, ScoreView
from crm_agents.api.sweeps import (
    RangeTestView,
    ResumeSweepView,
    StopSweepView,
    SweepListView,
    SweepView,
)
from crm_agents.api.versions import PromoteView, RollbackView, VersionListView, VersionView
from crm_agents.api.watching import AlertListView, ArtifactView, CloseAlertView, ShadowView
from crm_agents.recipes import recipes

app_name = "crm_agents_api"


def agent_urls() -> list[URLPattern]:
    """Return the endpoints that the registered agents bring."""
    return [
        pattern
        for recipe in recipes()
        if recipe.api_urlconf
        for pattern in import_module(recipe.api_urlconf).urlpatterns
    ]


def refuse_double_names(patterns: list[URLPattern]) -> None:
    """Raise ImproperlyConfigured where two endpoints would answer to one name."""
    double = sorted(str(name) for name, count in Counter(p.name for p in patterns).items() if count > 1)
    if double:
        raise ImproperlyConfigured(
            f"Two REST endpoints are named {', '.join(double)}: begin an agent's URL names with its own name."
        )


urlpatterns = [
    path("customers/", CustomerListView.as_view(), name="customers"),
    path("customers/<str:customer_id>/", CustomerDetailView.as_view(), name="customer"),
    path("customers/<str:customer_id>/export/", ExportView.as_view(), name="customer-export"),
    path("customers/<str:customer_id>/derived/", DerivedView.as_view(), name="customer-derived"),
    path("customers/<str:customer_id>/opt-out/", OptOutView.as_view(), name="customer-opt-out"),
    path("feedback/", FeedbackView.as_view(), name="feedback"),
    path("agents/", AgentListView.as_view(), name="agents"),
    path("agents/<str:name>/", AgentView.as_view(), name="agent"),
    path("agents/<str:name>/readiness/", ReadinessView.as_view(), name="readiness"),
    path("agents/<str:name>/runs/", RunListView.as_view(), name="runs"),
    path("agents/<str:name>/range-test/", RangeTestView.as_view(), name="range-test"),
    path("agents/<str:name>/sweeps/", SweepListView.as_view(), name="sweeps"),
    path("sweeps/<str:sweep_id>/", SweepView.as_view(), name="sweep"),
    path("sweeps/<str:sweep_id>/stop/", StopSweepView.as_view(), name="sweep-stop"),
    path("sweeps/<str:sweep_id>/resume/", ResumeSweepView.as_view(), name="sweep-resume"),
    path("agents/<str:name>/experiments/", ExperimentListView.as_view(), name="experiments"),
    path("experiments/<str:experiment_id>/", ExperimentView.as_view(), name="experiment"),
    path("experiments/<str:experiment_id>/stop/", StopExperimentView.as_view(), name="experiment-stop"),
    path(
        "experiments/<str:experiment_id>/measure/",
        MeasureExperimentView.as_view(),
        name="experiment-measure",
    ),
    path("agents/<str:name>/score/", ScoreView.as_view(), name="score"),
    path("agents/<str:name>/rollback/", RollbackView.as_view(), name="rollback"),
    path("runs/<str:run_id>/", RunView.as_view(), name="run"),
    path("runs/<str:run_id>/cancel/", CancelView.as_view(), name="run-cancel"),
    path("versions/", VersionListView.as_view(), name="versions"),
    path("versions/compare/", CompareView.as_view(), name="versions-compare"),
    path("versions/<str:version_id>/", VersionView.as_view(), name="version"),
    path("versions/<str:version_id>/card/", CardView.as_view(), name="version-card"),
    path("versions/<str:version_id>/promote/", PromoteView.as_view(), name="version-promote"),
    path("versions/<str:version_id>/shadow/", ShadowView.as_view(), name="version-shadow"),
    path("versions/<str:version_id>/artifact/", ArtifactView.as_view(), name="version-artifact"),
    path("alerts/", AlertListView.as_view(), name="alerts"),
    path("alerts/<str:alert_id>/close/", CloseAlertView.as_view(), name="alert-close"),
    path("interactions/", InteractionsView.as_view(), name="interactions"),
    path("label-sets/", LabelSetListView.as_view(), name="label-sets"),
    path("label-sets/<str:label_set_id>/", LabelSetView.as_view(), name="label-set"),
    path("label-sets/<str:label_set_id>/next/", NextItemView.as_view(), name="label-set-next"),
    path("label-sets/<str:label_set_id>/annotations/", AnnotationsView.as_view(), name="label-set-annotate"),
    path("label-sets/<str:label_set_id>/export/", LabelExportView.as_view(), name="label-set-export"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    *agent_urls(),
]
refuse_double_names(urlpatterns)
