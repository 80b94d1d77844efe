from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent


class AuditAction(models.TextChoices):
    RUN_STARTED = "run.started", _("run started")
    RUN_CANCELLED = "run.cancelled", _("run cancelled")
    VERSION_CREATED = "version.created", _("version made")
    VERSION_PROMOTED = "version.promoted", _("version promoted")
    VERSION_ROLLED_BACK = "version.rolled_back", _("rolled back to this version")
    SCORING_STARTED = "scoring.started", _("scoring started")
    SCORING_CANCELLED = "scoring.cancelled", _("scoring cancelled")
    SCORING_FAILED = "scoring.failed", _("scoring failed")
    SCORES_PUBLISHED = "scores.published", _("scores published")
    SWEEP_STARTED = "sweep.started", _("sweep started")
    SWEEP_STOPPED = "sweep.stopped", _("sweep stopped")
    SWEEP_RESUMED = "sweep.resumed", _("sweep resumed")
    VERSION_SHADOWED = "version.shadowed", _("version scored in the shadow")
    SHADOW_ENDED = "version.shadow_ended", _("shadow ended")
    SETTINGS_CHANGED = "settings.changed", _("settings changed")
    FIELDS_EXCLUDED = "fields.excluded", _("fields excluded")
    LABELS_CHANGED = "labels.changed", _("labels set up, imported or settled")
    LABELS_EXPORTED = "labels.exported", _("labels exported")
    ALERT_OPENED = "alert.opened", _("alert opened")
    ALERT_CLOSED = "alert.closed", _("alert closed")
    EXPERIMENT_STARTED = "experiment.started", _("experiment started")
    EXPERIMENT_ENDED = "experiment.ended", _("experiment ended")
    CUSTOMER_EXPORTED = "customer.exported", _("customer's data exported")
    CUSTOMER_OPTED_OUT = "customer.opted_out", _("customer opted out")
    CUSTOMER_OPTED_IN = "customer.opted_in", _("customer opted in again")
    CUSTOMERS_ERASED = "customers.erased", _("removed customers erased")
    RULE_MADE = "rule.made", _("rule made")
    RULE_CHANGED = "rule.changed", _("rule changed")
    RULE_DELETED = "rule.deleted", _("rule deleted")


class AuditEntry(models.Model):
    """Who did what to an agent, and when. Rows are only ever added."""

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="audit", verbose_name=_("agent"))
    action = models.CharField(_("action"), max_length=64, choices=AuditAction.choices)
    subject = models.CharField(_("subject"), max_length=200)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
