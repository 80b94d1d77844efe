from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_agents.models.scoring import ScoringRun


class AlertKind(models.TextChoices):
    INPUT_DRIFT = "input_drift", _("the data have drifted")
    SCORE_DRIFT = "score_drift", _("the scores have drifted")
    RESULTS_DROP = "results_drop", _("the results have dropped")
    STALE = "stale", _("the scores are old")
    RUN_FAILED = "run_failed", _("a scheduled run failed")


class Alert(models.Model):
    """Something about a live agent that a person should look at. One of a kind is open at a time."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="alerts", verbose_name=_("agent"))
    kind = models.CharField(_("kind"), max_length=16, choices=AlertKind.choices)
    scoring = models.ForeignKey(
        ScoringRun, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("scoring")
    )
    detail = models.JSONField(_("detail"), default=dict)  # facts; `crm_agents.alerts` puts them into words
    opened_at = models.DateTimeField(_("opened at"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(  # empty where it went away by itself
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closed by"),
    )

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "kind"], condition=Q(closed_at=None), name="crm_agents_one_open_alert"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.kind}"
