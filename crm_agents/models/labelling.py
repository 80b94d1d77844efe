from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_agents.models.agent import Agent


class Subject(models.TextChoices):
    """What a label is about."""

    CUSTOMER = "customer", _("customer")
    INTERACTION = "interaction", _("interaction")
    QUESTION = "question", _("question")


class LabelSet(models.Model):
    """One question put to annotators about many subjects, for one agent."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="label_sets", verbose_name=_("agent"))
    name = models.CharField(_("name"), max_length=100)
    subject = models.CharField(_("subject"), max_length=16, choices=Subject.choices)
    question = models.CharField(pgettext_lazy("of a label set", "question"), max_length=300)
    # [{"value": "left", "text": "Has left", "key": "1"}, …]: stored word, words for people, key to press
    choices = models.JSONField(_("answers"), default=list)
    random_share = models.FloatField(
        _("random share"),
        default=0.2,
        help_text=_("Share of the queue drawn at random, on which estimates are honest."),
    )
    annotators = models.PositiveSmallIntegerField(
        _("annotators"), default=1, help_text=_("People who answer each item.")
    )
    trains = models.BooleanField(
        _("trains"),
        default=True,
        help_text=_("Its labels go to training. Of an agent's sets about texts one at a time does."),
    )
    closed = models.BooleanField(_("closed"), default=False)
    # How the last filling of the queue and the last search for label errors went; empty while none was
    # asked for. Facts: `crm_agents.admin.labelling.wording` puts them into words.
    filling = models.JSONField(default=dict, editable=False)
    search = models.JSONField(default=dict, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("label set")
        verbose_name_plural = _("label sets")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="crm_agents_label_set_name")]

    def __str__(self) -> str:
        return self.name


class ItemStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("item to label", "open")
    AGREED = "agreed", _("labelled")
    DISPUTED = "disputed", _("annotators disagree")
    UNKNOWN = "unknown", _("cannot be told")


class LabelItem(models.Model):
    """One subject of a label set: what the annotators see, and what came of it."""

    label_set = models.ForeignKey(LabelSet, models.CASCADE, related_name="items", verbose_name=_("label set"))
    customer_id = models.CharField(_("customer"), max_length=64, blank=True)
    key = models.CharField(_("key"), max_length=64, blank=True)  # of the interaction or question
    at = models.DateTimeField(_("speaks of"))
    text = models.TextField(_("text"), blank=True)
    # The model's probability of each answer when the item was queued: order and label errors follow it.
    probabilities = models.JSONField(default=dict)
    uncertainty = models.FloatField(_("uncertainty"), default=0.0)
    drawn = models.BooleanField(_("drawn at random"), default=False)
    place = models.FloatField(_("place in the queue"), default=0.0)  # lower comes first
    status = models.CharField(_("status"), max_length=16, choices=ItemStatus.choices, default=ItemStatus.OPEN)
    label = models.CharField(_("label"), max_length=64, blank=True)  # agreed on, or decided by a person
    decided = models.BooleanField(
        _("decided"), default=False, help_text=_("By a person, so what annotators say changes nothing.")
    )
    settled_by = models.ForeignKey(  # who decided; empty where the annotators agreed
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("settled by"),
    )
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    # Who has it open, so that two people are not given the same item; it lapses by itself.
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    suspicion = models.FloatField(_("likely error"), null=True, blank=True)  # 0 to 1, by confident learning

    class Meta:
        verbose_name = _("item to label")
        verbose_name_plural = _("items to label")
        ordering = ["place", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["label_set", "customer_id", "key", "at"], name="crm_agents_label_item_once"
            )
        ]
        indexes = [
            models.Index(fields=["label_set", "status", "place"], name="crm_agents_label_queue"),
            models.Index(fields=["label_set", "suspicion"], name="crm_agents_label_suspects"),
            models.Index(fields=["customer_id"], name="crm_agents_label_customer"),
        ]

    def __str__(self) -> str:
        return self.key or self.customer_id


class AnnotationKind(models.TextChoices):
    LABEL = "label", _("label")
    SKIP = "skip", _("skipped")
    CANNOT_TELL = "cannot_tell", _("can't tell")
    WITHDRAWN = "withdrawn", _("taken back")


class Annotation(models.Model):
    """What one person said of one item, and when. A changed mind is a new row; the newest counts."""

    item = models.ForeignKey(LabelItem, models.CASCADE, related_name="annotations", verbose_name=_("item"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=AnnotationKind.choices)
    label = models.CharField(_("label"), max_length=64, blank=True)
    reason = models.CharField(_("why"), max_length=500, blank=True)
    seconds = models.FloatField(_("seconds taken"), null=True, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        ordering = ["-id"]
        indexes = [models.Index(fields=["item", "user"], name="crm_agents_annotation_of_user")]

    def __str__(self) -> str:
        return f"{self.item} {self.label or self.kind}"
