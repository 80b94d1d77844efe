from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent
from crm_agents.models.scoring import ScoringRun


class FreshScore(models.Model):
    """What an agent says of one customer since an interaction that its live scores do not know.

    Readers are shown it in place of the customer's row of that very scoring, and with no other.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="+", verbose_name=_("agent"))
    scoring = models.ForeignKey(ScoringRun, models.CASCADE, related_name="+", verbose_name=_("scoring"))
    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    customer_id = models.CharField(_("customer"), max_length=64)
    score = models.FloatField(_("score"), null=True)
    payload = models.JSONField(default=dict)
    as_of = models.DateTimeField(_("as of"))  # the customer's last event, or that of the scoring
    made_at = models.DateTimeField(_("refreshed at"))  # when the customer's events were read

    class Meta:
        verbose_name = _("refreshed score")
        verbose_name_plural = _("refreshed scores")
        constraints = [
            models.UniqueConstraint(fields=["scoring", "customer_id"], name="crm_agents_fresh_once")
        ]
        indexes = [models.Index(fields=["tenant", "customer_id"], name="crm_agents_fresh_customer")]

    def __str__(self) -> str:
        return self.customer_id


class News(models.Model):
    """A customer with whom something happened and whose answers are to be refreshed for that.

    One row each time; the worker takes all of a customer's at once. It stays until that is done.
    """

    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    customer_id = models.CharField(_("customer"), max_length=64)
    at = models.DateTimeField(_("at"), default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("news of a customer")
        verbose_name_plural = _("news of customers")
        default_permissions = ()
        indexes = [
            models.Index(fields=["tenant", "customer_id"], name="crm_agents_news_customer"),
            models.Index(fields=["at"], name="crm_agents_news_at"),
        ]

    def __str__(self) -> str:
        return self.customer_id
