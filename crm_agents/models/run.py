from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_agents.models.lease import ACTIVE_STATES, Leased
from crm_data.clock import minute


class Purpose(models.TextChoices):
    """What a run is for; `services.execution` knows the command of each."""

    TRAIN = "train", _("training")
    TRIAL = "trial", _("trial")  # of a sweep: ends with the validation window
    RANGE_TEST = "range_test", _("learning-rate range test")
    INSPECT = "inspect", _("data check")


class TrainingRun(Leased):
    """One run of the trainer: a fine-tuning that makes a gated version, or what prepares one."""

    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices, default=Purpose.TRAIN)

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="runs", verbose_name=_("agent"))
    config = models.JSONField(_("configuration"), default=dict)  # overrides asked for at the start
    snapshot = models.ForeignKey(
        "crm_data.Snapshot",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("snapshot"),
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
        help_text=_("Empty when a schedule started it."),
    )
    # Why the clock or an alert started it, in facts (words: `crm_agents.alerts`); empty where a person did.
    started_for = models.JSONField(_("started for"), default=dict)
    publish = models.BooleanField(_("publish when the gate is passed"), default=True)
    progress = models.JSONField(_("progress"), default=dict)  # newest line of progress.jsonl
    # Phase, step and attempt of the lost worker that got furthest; empty while none got anywhere.
    furthest = models.JSONField(default=list, editable=False)
    log_tail = models.TextField(_("log"), blank=True)
    missing = models.JSONField(_("missing data"), default=list)  # facts, see handoff/missing.py
    report = models.JSONField(_("report"), default=dict)  # report.json of a run that makes no version
    sweep = models.ForeignKey(
        "crm_agents.Sweep",
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="trials",
        verbose_name=_("sweep"),
    )
    trial = models.PositiveIntegerField(_("trial"), null=True, blank=True, editable=False)  # within the sweep
    # [epoch, value of the sweep's metric on the validation window], one after each epoch of a trial.
    reached = models.JSONField(default=list, editable=False)
    value = models.FloatField(_("value"), null=True, blank=True, editable=False)  # the best of them

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "purpose"],
                condition=Q(status__in=ACTIVE_STATES) & ~Q(purpose=Purpose.TRIAL),
                name="crm_agents_one_active_run",
            ),
            models.UniqueConstraint(fields=["sweep", "trial"], name="crm_agents_trial_once"),
        ]
        indexes = [models.Index(fields=["agent", "purpose", "-created_at"], name="crm_agents_run_newest")]

    def __str__(self) -> str:
        return f"{self.agent} {minute(self.created_at)}"
