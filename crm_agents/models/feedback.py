from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_agents.models.scoring import ScoringRun


class FeedbackVerdict(models.TextChoices):
    ACCEPTED = "accepted", _("accepted")
    DISMISSED = "dismissed", _("dismissed")
    WRONG = "wrong", _("wrong")


class Feedback(models.Model):
    """What a member of staff said of one score or one recommended item; it feeds training."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="feedback", verbose_name=_("agent"))
    # Scores are deleted in time; what staff said of them stays.
    scoring = models.ForeignKey(
        ScoringRun, models.SET_NULL, null=True, related_name="+", verbose_name=_("scoring")
    )
    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    customer_id = models.CharField(_("customer"), max_length=64)
    item = models.CharField(
        _("item"), max_length=64, blank=True, help_text=_("Product, where it is about one.")
    )
    verdict = models.CharField(_("verdict"), max_length=16, choices=FeedbackVerdict.choices)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "customer_id"], name="crm_agents_feedback_customer")]

    def __str__(self) -> str:
        return f"{self.agent} {self.customer_id} {self.verdict}"
