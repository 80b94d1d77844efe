from django.db import models
from django.utils.translation import gettext_lazy as _

from crm_agents.models import ScoreRow


class Tier(models.TextChoices):
    HIGH = "high", _("high")
    MEDIUM = "medium", _("medium")
    LOW = "low", _("low")
    UNKNOWN = "unknown", _("not enough information")


class Trend(models.TextChoices):
    RISING = "rising", _("risk rising")
    STEADY = "steady", _("steady")
    FALLING = "falling", _("risk falling")
    UNKNOWN = "unknown", _("not enough information")


class ChurnScore(ScoreRow):
    """The calibrated probability that one customer leaves, as `score`, with reasons in the payload."""

    tier = models.CharField(_("tier"), max_length=16, choices=Tier.choices)
    trend = models.CharField(_("trend"), max_length=16, choices=Trend.choices)

    class Meta:
        verbose_name = _("churn warning")
        verbose_name_plural = _("churn warnings")
        constraints = [
            models.UniqueConstraint(fields=["scoring", "customer_id"], name="crm_agents_churn_once")
        ]
        indexes = [
            models.Index(fields=["scoring", "-score"], name="crm_agents_churn_score"),
            models.Index(fields=["scoring", "tier", "-score"], name="crm_agents_churn_tier"),
        ]
