import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_data.clock import minute


class SweepKind(models.TextChoices):
    COMPARISON = "comparison", _("comparison")  # every combination of the values, none stopped early
    SEARCH = "search", _("hyper-parameter search")


class SweepStatus(models.TextChoices):
    RUNNING = "running", _("running")
    STOPPED = "stopped", _("stopped")  # by a person, who may resume it
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


class Sweep(models.Model):
    """Trials of one agent on one snapshot and one split, compared by the validation window alone.

    The trials are training runs of their own and the only store of the study: whoever asks for the next
    trial, or whether one should stop, rebuilds the study from their rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="sweeps", verbose_name=_("agent"))
    kind = models.CharField(_("kind"), max_length=16, choices=SweepKind.choices)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=SweepStatus.choices,
        default=SweepStatus.RUNNING,
        db_index=True,
    )
    config = models.JSONField(_("configuration"), default=dict)  # overrides that all trials share
    space = models.JSONField(_("search space"), default=dict)  # see services/tuning/space.py
    metric = models.CharField(_("metric"), max_length=64)  # of the validation window, higher is better
    planned = models.PositiveIntegerField(_("trials"))
    parallel = models.PositiveSmallIntegerField(_("at the same time"), default=1)
    minutes = models.PositiveIntegerField(
        _("minutes"), null=True, blank=True, help_text=_("No trial begins later. Empty: no limit.")
    )
    pruner = models.CharField(_("pruner"), max_length=16, default="median")  # median, hyperband, none
    seed = models.PositiveIntegerField(_("seed"), default=0)
    train_best = models.BooleanField(
        _("train the best"), default=False, help_text=_("Start a full run with the best trial's settings.")
    )
    snapshot = models.ForeignKey(
        "crm_data.Snapshot",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("snapshot"),
    )
    importance = models.JSONField(_("importance"), default=dict)  # share of each setting in what was reached
    error = models.TextField(_("error"), blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("sweep")
        verbose_name_plural = _("sweeps")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.agent} {minute(self.created_at)}"
