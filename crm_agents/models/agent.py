from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Agent(models.Model):
    """One recipe at work for one tenant, and the pointer to what readers see of it."""

    name = models.SlugField(_("name"), max_length=64)  # of the registered recipe
    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    config = models.JSONField(
        _("configuration"), default=dict, blank=True, help_text=_("Overrides of the recipe.")
    )
    # Readers follow this one pointer; flipping it is what "publish" and "rollback" mean.
    live_scoring = models.ForeignKey(
        "crm_agents.ScoringRun", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    live_version = models.ForeignKey(
        "crm_agents.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("live version"),
    )
    shadow_version = models.ForeignKey(
        "crm_agents.ModelVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("shadow version"),
    )
    train_every_days = models.PositiveSmallIntegerField(
        _("train every (days)"), null=True, blank=True, help_text=_("Empty: only when somebody starts it.")
    )
    score_every_hours = models.PositiveSmallIntegerField(
        _("score every (hours)"), null=True, blank=True, help_text=_("Empty: with the nightly scoring only.")
    )
    retrain_on_drift = models.BooleanField(
        _("retrain on an alert"),
        default=False,
        help_text=_("When the data drift or the results drop. The gate decides what goes live."),
    )
    drift_limit = models.FloatField(
        _("drift limit"), default=0.25, help_text=_("Population stability index above which an alert opens.")
    )
    drop_limit = models.FloatField(
        _("drop limit"),
        default=0.1,
        help_text=_(
            "Share of the tested metric that may be lost on realised outcomes before an alert opens."
        ),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ["name", "tenant"]
        constraints = [
            models.UniqueConstraint(fields=["name", "tenant"], name="crm_agents_one_agent_per_tenant")
        ]
        permissions = [
            ("view_scores", "Can see scores and recommendations"),
            ("give_feedback", "Can accept, dismiss or mark scores wrong"),
            ("manage_runs", "Can start and cancel runs"),
            ("promote_version", "Can promote, shadow and roll back versions"),
            ("manage_agents", "Can change settings, schedules and field exclusions of agents"),
            ("annotate", "Can label customers, interactions and questions"),
            ("manage_labels", "Can set up label sets, adjudicate, import and export labels"),
            ("manage_privacy", "Can export and erase what is known of a customer, and opt customers out"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.tenant})" if self.tenant else self.name


class Verdict(models.TextChoices):
    PASSED = "passed", pgettext_lazy("verdict of the gate", "passed")
    FAILED = "failed", pgettext_lazy("verdict of the gate", "failed")


class ModelVersion(models.Model):
    """A fine-tuned model: an artifact folder, the data it learnt from and how it did on later data."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="versions", verbose_name=_("agent"))
    number = models.PositiveIntegerField(_("number"))
    run = models.OneToOneField(
        "crm_agents.TrainingRun", models.PROTECT, related_name="version", verbose_name=_("run")
    )
    artifact = models.CharField(_("artifact"), max_length=500, help_text=_("Folder below the artifact root."))
    artifact_sha256 = models.CharField(max_length=64)
    snapshot = models.ForeignKey(
        "crm_data.Snapshot", models.PROTECT, related_name="+", verbose_name=_("snapshot")
    )
    evaluation = models.JSONField(_("evaluation"), default=dict)  # the run's evaluation.json
    verdict = models.CharField(_("gate"), max_length=16, choices=Verdict.choices)
    verdict_reasons = models.JSONField(_("why"), default=list)  # comparisons, see services/gate.py
    # The version whose weights it started from: compressed, or fine-tuned further.
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("made from"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="crm_agents_version_number")]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"
