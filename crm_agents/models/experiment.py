from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_agents.models.agent import Agent, ModelVersion
from crm_agents.models.scoring import ScoringRun
from crm_data.clock import minute


class ExperimentKind(models.TextChoices):
    CONTROL = "control", _("control group")
    AB = "ab", _("two versions")


class Treatment(models.TextChoices):
    """What a control group is shown in place of the agent's answers."""

    POPULARITY = "popularity", _("what is popular with everyone")
    NOTHING = "nothing", _("nothing")


class EndedFor(models.TextChoices):
    """Why an experiment ended."""

    OVER = "over", pgettext_lazy("end of an experiment", "its days are over")
    STOPPED = "stopped", pgettext_lazy("end of an experiment", "stopped by a person")
    CHANGED = "changed", pgettext_lazy("end of an experiment", "another version went live or into the shadow")


class Experiment(models.Model):
    """Customers drawn by a hash, shown something else than the others, so that what it brings can be told.

    Who is in which arm is stored nowhere: `crm_agents.arms` computes it from the salt and the customer.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="experiments", verbose_name=_("agent"))
    kind = models.CharField(_("kind"), max_length=8, choices=ExperimentKind.choices)
    share = models.FloatField(
        _("share"), default=0.1, help_text=_("Of the customers: in the control group, or shown version B.")
    )
    salt = models.CharField(max_length=32, editable=False)
    treatment = models.CharField(  # empty for two versions
        _("the control group sees"), max_length=16, choices=Treatment.choices, blank=True
    )
    version = models.ForeignKey(  # live at the start: version A
        ModelVersion, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("version")
    )
    rival = models.ForeignKey(
        ModelVersion, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("version B")
    )
    # The scores at the start: whoever had an answer in them takes part.
    scoring = models.ForeignKey(ScoringRun, models.SET_NULL, null=True, blank=True, related_name="+")
    rival_scoring = models.ForeignKey(ScoringRun, models.SET_NULL, null=True, blank=True, related_name="+")
    horizon_days = models.PositiveSmallIntegerField(
        _("days"), help_text=_("So many days from the start what customers do counts.")
    )
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
    )
    ended_for = models.CharField(_("ended because"), max_length=8, choices=EndedFor.choices, blank=True)
    enrolled = models.PositiveIntegerField(_("customers"), null=True, blank=True)  # empty until a worker did
    result = models.JSONField(_("result"), default=dict)  # see services/experiments/measuring.py
    measured_at = models.DateTimeField(_("measured at"), null=True, blank=True)

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("manage_experiments", "Can start, measure and stop experiments")]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "kind"], condition=Q(ended_at=None), name="crm_agents_one_experiment"
            ),
            models.CheckConstraint(
                condition=Q(share__gte=0.01, share__lte=0.5), name="crm_agents_experiment_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.get_kind_display()} {minute(self.started_at)}"

    @property
    def is_running(self) -> bool:
        return self.ended_at is None
