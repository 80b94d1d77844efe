"""How a run reads in an answer: training and scoring alike, so that one URL follows all long work."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm_agents.api.serializers import MissingSerializer
from crm_agents.missing import missing_entries
from crm_agents.models import Purpose, RunStatus, ScoringRun, TrainingRun

if TYPE_CHECKING:
    from crm_agents.api.base import ApiView

RUN_EXAMPLE = {
    "id": "4f0d8b8e-5f0e-4a53-9c39-0f4b3f1f2a11",
    "kind": "training",
    "purpose": "train",
    "agent": "churn",
    "status": "queued",
    "status_label": "queued",
    "active": True,
    "cancel_requested": False,
    "progress": None,
    "missing": [],
    "notice": "",
    "error": "",
    "attempts": 0,
    "config": {},
    "report": {},
    "started_by": "manager",
    "version": None,
    "created_at": "2026-03-02T10:15:00Z",
    "started_at": None,
    "finished_at": None,
    "url": "https://crm.example.com/api/v1/runs/4f0d8b8e-5f0e-4a53-9c39-0f4b3f1f2a11/",
}

Run = TrainingRun | ScoringRun


class ProgressSerializer(serializers.Serializer[Any]):
    """How far it is, in the phase it is in."""

    phase = serializers.CharField()
    step = serializers.IntegerField()
    of = serializers.IntegerField()
    loss = serializers.FloatField(allow_null=True)
    eta_seconds = serializers.FloatField(allow_null=True)


class RunSerializer(serializers.Serializer[Any]):
    """A training run or a scoring run."""

    id = serializers.UUIDField()
    kind = serializers.SerializerMethodField()
    purpose = serializers.SerializerMethodField()
    agent = serializers.CharField(source="agent.name")
    status = serializers.ChoiceField(RunStatus.choices)
    status_label = serializers.CharField(source="get_status_display")
    active = serializers.BooleanField(source="is_active")
    cancel_requested = serializers.BooleanField()
    progress = serializers.SerializerMethodField()
    missing = serializers.SerializerMethodField()
    notice = serializers.SerializerMethodField()
    error = serializers.CharField(allow_blank=True)
    attempts = serializers.IntegerField()
    config = serializers.SerializerMethodField()
    report = serializers.SerializerMethodField()
    started_by = serializers.SerializerMethodField()
    version = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(["training", "scoring"]))
    def get_kind(self, run: Run) -> str:
        return "training" if isinstance(run, TrainingRun) else "scoring"

    @extend_schema_field(serializers.ChoiceField(Purpose.choices, allow_null=True))
    def get_purpose(self, run: Run) -> str | None:
        """What a training run is for: a version, or what prepares one; null for a scoring run."""
        return run.purpose if isinstance(run, TrainingRun) else None

    @extend_schema_field(serializers.DictField(child=serializers.JSONField()))
    def get_config(self, run: Run) -> dict[str, Any]:
        """The settings asked for, where they differ from the agent's own."""
        return run.config if isinstance(run, TrainingRun) else {}

    @extend_schema_field(serializers.DictField(child=serializers.JSONField()))
    def get_report(self, run: Run) -> dict[str, Any]:
        """What a run found that makes no version: a trial, a range test, a data check."""
        return run.report if isinstance(run, TrainingRun) else {}

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, run: Run) -> dict[str, Any] | None:
        if isinstance(run, ScoringRun):
            return _shards_done(run)
        names = ("phase", "step", "of", "loss", "eta_seconds")
        return {name: run.progress.get(name) for name in names} if run.progress else None

    @extend_schema_field(MissingSerializer(many=True, help_text="What data is missing for the run."))
    def get_missing(self, run: Run) -> list[dict[str, str]]:
        return missing_entries(run.missing) if isinstance(run, TrainingRun) else []

    def get_notice(self, run: Run) -> str:
        """What holds up queued work, or empty."""
        return run.notice or (_shards_held_up(run) if isinstance(run, ScoringRun) else "")

    def get_started_by(self, run: Run) -> str | None:
        user = run.started_by if isinstance(run, TrainingRun) else None
        return user.get_username() if user else None

    @extend_schema_field(serializers.URLField(allow_null=True, help_text="Version made, or scored with."))
    def get_version(self, run: Run) -> str | None:
        version = run.version_id if isinstance(run, ScoringRun) else _made_by(run)
        return self.context["view"].url("version", version_id=version) if version else None

    @extend_schema_field(serializers.URLField)
    def get_url(self, run: Run) -> str:
        url: str = self.context["view"].url("run", run_id=run.pk)
        return url


def _made_by(run: TrainingRun) -> int | None:
    version = getattr(run, "version", None)  # the far side of a one-to-one: absent, not None
    return version.pk if version else None


def _shards_done(run: ScoringRun) -> dict[str, Any]:
    statuses = list(run.shards.values_list("status", flat=True))
    done = statuses.count(RunStatus.SUCCEEDED)
    return {"phase": "scoring", "step": done, "of": len(statuses), "loss": None, "eta_seconds": None}


def _shards_held_up(run: ScoringRun) -> str:
    notices = run.shards.filter(status=RunStatus.QUEUED).exclude(notice="")
    return notices.values_list("notice", flat=True).first() or ""


def written(view: "ApiView", run: Run) -> dict[str, Any]:
    return dict(RunSerializer(run, context={"view": view}).data)
