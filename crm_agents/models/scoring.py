from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm_agents.models.agent import Agent, ModelVersion
from crm_agents.models.lease import ACTIVE_STATES, Leased
from crm_data.clock import minute

if TYPE_CHECKING:
    from crm_agents.models.fresh import FreshScore


class Kept(models.TextChoices):
    """Whether a scoring's rows are still in the agent's score table."""

    KEPT = "kept", _("kept")
    GOING = "going", _("being deleted")  # out of readers' reach already
    GONE = "gone", _("deleted")


class ScoringRun(Leased):
    """One complete set of scores by one version over one snapshot; shown only once every shard is in."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="scorings", verbose_name=_("agent"))
    version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="scorings", verbose_name=_("version")
    )
    # Let go of together with the scores, so that old data are not kept for a record's sake.
    snapshot = models.ForeignKey(
        "crm_data.Snapshot",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("snapshot"),
    )
    as_of = models.DateTimeField(_("as of"))  # the moment the scores speak of
    rows = models.PositiveIntegerField(_("customers scored"), default=0)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    shadow = models.BooleanField(
        _("shadow"), default=False, help_text=_("Scored beside the live version and shown to nobody.")
    )
    scores = models.CharField(_("scores"), max_length=8, choices=Kept.choices, default=Kept.KEPT)
    # A shadow's scores beside the live ones, in figures; empty for what was live.
    beside_live = models.JSONField(_("beside the live scores"), default=dict)
    # What the inputs and the scores look like against those of the version's own test window.
    drift = models.JSONField(_("drift"), default=dict)
    # How the scores did once the horizon had passed; empty until then.
    realised = models.JSONField(_("realised outcomes"), default=dict)
    realised_at = models.DateTimeField(_("outcomes known at"), null=True, blank=True)

    class Meta:
        verbose_name = _("scoring")
        verbose_name_plural = _("scorings")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "shadow"],
                condition=Q(status__in=ACTIVE_STATES),
                name="crm_agents_one_active_scoring",
            )
        ]
        indexes = [models.Index(fields=["agent", "shadow", "-created_at"], name="crm_agents_scoring_newest")]

    def __str__(self) -> str:
        return f"{self.version} {minute(self.created_at)}"


class ScoringShard(Leased):
    """One shard of a scoring run: one Celery task, one child process."""

    scoring = models.ForeignKey(ScoringRun, models.CASCADE, related_name="shards")
    shard = models.PositiveIntegerField()
    rows = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("scoring shard")
        verbose_name_plural = _("scoring shards")
        ordering = ["shard"]
        constraints = [models.UniqueConstraint(fields=["scoring", "shard"], name="crm_agents_shard_once")]

    def __str__(self) -> str:
        return f"{self.scoring} #{self.shard}"


class SideRow(models.Model):
    """What one shard of a scoring says of something that is no customer: a row for each `key`, a product say.

    Where the rows speak of customers too, `payload["customers"]` is a list of [customer, number, …]: there
    an erased customer is looked for. Each agent app may have tables of these, see `Recipe.side_tables`.
    """

    scoring = models.ForeignKey(ScoringRun, models.CASCADE, related_name="+", verbose_name=_("scoring"))
    shard = models.PositiveIntegerField(default=0)
    key = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class ScoreRow(models.Model):
    """What an agent says of one customer in one scoring run. Each agent app has a table of these."""

    # What stands in for the stored row since an interaction, see `crm_agents.selectors.live_score`.
    refreshed: "FreshScore | None" = None

    scoring = models.ForeignKey(ScoringRun, models.CASCADE, related_name="+", verbose_name=_("scoring"))
    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    customer_id = models.CharField(_("customer"), max_length=64)
    # What lists sort by; empty where there is no answer, and the payload says why.
    score = models.FloatField(_("score"), null=True)
    payload = models.JSONField(default=dict)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.customer_id
