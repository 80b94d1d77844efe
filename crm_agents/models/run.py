from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_agents.models.lease import ACTIVE_STATES, Leased
from crm_data.clock import minute


class TrainingRun(Leased):
    """One fine-tuning of one agent, from snapshot to gated version."""

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
    publish = models.BooleanField(_("publish when the gate is passed"), default=True)
    progress = models.JSONField(_("progress"), default=dict)  # newest line of progress.jsonl
    # Phase, step and attempt of the lost worker that got furthest; empty while none got anywhere.
    furthest = models.JSONField(default=list, editable=False)
    log_tail = models.TextField(_("log"), blank=True)
    missing = models.JSONField(_("missing data"), default=list)  # facts, see handoff/missing.py

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent"], condition=Q(status__in=ACTIVE_STATES), name="crm_agents_one_active_run"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent} {minute(self.created_at)}"
