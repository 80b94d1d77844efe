from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_agents.models import ScoreRow, SideRow


class RecommendationSet(ScoreRow):
    """The products recommended to one customer, best first, as `payload["items"]`."""

    class Meta:
        verbose_name = _("recommendation")
        verbose_name_plural = _("recommendations")
        constraints = [
            models.UniqueConstraint(fields=["scoring", "customer_id"], name="crm_agents_recommender_once"),
        ]
        indexes = [models.Index(fields=["scoring", "-score"], name="crm_agents_recommender_score")]


class ProductAudience(SideRow):
    """One shard's likeliest buyers of a product, best first: [customer, chance, times, days since] each."""

    class Meta:
        verbose_name = _("customers of a product")
        verbose_name_plural = _("customers of products")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["scoring", "key", "shard"], name="crm_agents_recommender_aud"),
        ]


class ProductRelations(SideRow):
    """A product among the others: what replaces it and what is bought with it, see `handoff.scores`."""

    class Meta:
        verbose_name = _("relations of a product")
        verbose_name_plural = _("relations of products")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["scoring", "key", "shard"], name="crm_agents_recommender_rel"),
        ]


class RuleAction(models.TextChoices):
    """What a rule does to the products that it is about."""

    PIN = "pin", pgettext_lazy("action of a rule", "pin")
    BOOST = "boost", pgettext_lazy("action of a rule", "move up")
    BURY = "bury", pgettext_lazy("action of a rule", "move down")
    EXCLUDE = "exclude", pgettext_lazy("action of a rule", "exclude")
    CAP = "cap", pgettext_lazy("action of a rule", "at most so many of a category")


class RecommendationRule(models.Model):
    """What the business wants of recommendations, whatever the model says; heeded whenever they are read."""

    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=16, choices=RuleAction.choices)
    product = models.CharField(
        _("product"), max_length=64, blank=True, help_text=_("Number of the product; empty for a category.")
    )
    category = models.CharField(
        _("category"),
        max_length=200,
        blank=True,
        help_text=_("Every product of it; empty for a product. A limit without a category is for each one."),
    )
    strength = models.FloatField(
        _("strength"),
        null=True,
        blank=True,
        help_text=_("To move up or down: the factor by which the chance is multiplied or divided."),
    )
    at_most = models.PositiveSmallIntegerField(
        _("at most"), null=True, blank=True, help_text=_("Products of the category in one list.")
    )
    attribute = models.CharField(
        _("customers whose"),
        max_length=100,
        blank=True,
        help_text=_("Attribute by which customers are chosen; empty for every customer."),
    )
    value = models.CharField(_("is"), max_length=200, blank=True, help_text=_("Value of that attribute."))
    starts = models.DateField(_("first day"), null=True, blank=True, help_text=_("Empty: at once."))
    ends = models.DateField(_("last day"), null=True, blank=True, help_text=_("Empty: until it is ended."))
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("Why there is this rule."))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("recommendation rule")
        verbose_name_plural = _("recommendation rules")
        ordering = ["id"]  # the order in which rules of one kind are heeded
        default_permissions = ("view",)
        permissions = [("manage_rules", "Can make, change and end rules for recommendations")]
        indexes = [models.Index(fields=["tenant", "active"], name="crm_agents_recommender_rules")]

    def __str__(self) -> str:
        about = self.product or self.category or str(_("each category"))
        return f"{self.get_action_display()}: {about}"
