"""The built-in CRM tables. A host with tables of its own names them in a `Source` instead."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_data.clock import minute


class Customer(models.Model):
    """A person or company that buys, served by one sales rep."""

    code = models.CharField(
        _("code"), max_length=64, unique=True, help_text=_("Your own number for the customer.")
    )
    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("e-mail"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("sales rep"),
        related_name="+",
    )
    since = models.DateField(_("customer since"), null=True, blank=True)
    country = models.CharField(_("country"), max_length=64, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["code"]
        permissions = [("view_all_customers", "Can view the customers of every sales rep")]

    def __str__(self) -> str:
        return self.name or self.code


class Product(models.Model):
    """Something that is sold."""

    code = models.CharField(_("code"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=300)
    category = models.CharField(_("category"), max_length=200, blank=True, db_index=True)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=2, null=True, blank=True)
    cost = models.DecimalField(
        _("cost"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("What one piece costs the company; with it, recommendations can be sorted by margin."),
    )
    available = models.BooleanField(_("available"), default=True, help_text=_("May be recommended now."))
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code


class InteractionKind(models.TextChoices):
    """Kinds the agents know by name; any other word is kept and learnt as a kind of its own."""

    PURCHASE = "purchase", _("purchase")
    RETURN = "return", _("return")
    VISIT = "visit", _("visit")
    EMAIL = "email", _("e-mail")
    CALL = "call", _("call")
    QUESTION = "question", _("question")
    COMPLAINT = "complaint", _("complaint")

    @classmethod
    def label_of(cls, kind: str) -> str:
        """Name a kind in the reader's language; one of the host's own keeps its word."""
        return str(cls(kind).label) if kind in cls.values else kind


class Interaction(models.Model):
    """One dated event between a customer and the company; one line of an invoice is one purchase."""

    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        verbose_name=_("customer"),
        related_name="interactions",
        db_index=False,  # the index over customer and time serves
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, verbose_name=_("product"), related_name="interactions"
    )
    kind = models.CharField(
        _("kind"), max_length=32, help_text=_("purchase, return, visit, email, call, question …")
    )
    at = models.DateTimeField(_("at"))
    quantity = models.FloatField(
        _("quantity"), null=True, blank=True, help_text=_("Never negative: the kind says what was returned.")
    )
    amount = models.DecimalField(
        _("amount"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Of the whole line; never negative."),
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    basket = models.CharField(_("basket"), max_length=64, blank=True, help_text=_("Invoice or order number."))
    channel = models.CharField(_("channel"), max_length=32, blank=True)
    text = models.TextField(_("text"), blank=True)
    # Names the row in the system it came from, so that a second delivery of it is recognised.
    key = models.UUIDField(_("key"), null=True, blank=True, unique=True, editable=False)
    # The key of the purchase that a return reverses, where it is known.
    return_of = models.UUIDField(_("return of"), null=True, blank=True, editable=False)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now, db_index=True, editable=False)

    class Meta:
        verbose_name = _("interaction")
        verbose_name_plural = _("interactions")
        indexes = [
            models.Index(fields=["customer", "at"], name="crm_data_interaction_cust_at"),
            models.Index(fields=["-at", "-id"], name="crm_data_interaction_at"),
            models.Index(fields=["basket"], name="crm_data_interaction_basket"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.changed_at = timezone.now()
        if kwargs.get("update_fields"):  # what snapshots follow must be written along
            kwargs["update_fields"] = {*kwargs["update_fields"], "changed_at"}
        super().save(*args, **kwargs)


class MarketIndicator(models.Model):
    """One value of a dated series: promotion, holiday, price index, footfall …"""

    series = models.CharField(_("series"), max_length=64)
    scope = models.CharField(
        _("scope"), max_length=64, blank=True, help_text=_("Empty for the whole market.")
    )
    date = models.DateField(_("date"))
    value = models.FloatField(_("value"))
    known_ahead = models.BooleanField(
        _("known ahead"), default=False, help_text=_("A holiday is, footfall is not.")
    )

    class Meta:
        verbose_name = _("market indicator")
        verbose_name_plural = _("market indicators")
        ordering = ["series", "scope", "date"]
        constraints = [
            models.UniqueConstraint(fields=["series", "scope", "date"], name="crm_data_one_value_per_day"),
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.date}"


class ImportBatch(models.Model):
    """One file that was imported whole; the same file is not imported twice."""

    file_name = models.CharField(_("file"), max_length=255)
    sha256 = models.CharField(max_length=64)
    mapping_sha256 = models.CharField(max_length=64)
    report = models.JSONField(_("report"), default=dict)
    created_at = models.DateTimeField(_("imported at"), default=timezone.now)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["sha256", "mapping_sha256"], name="crm_data_file_imported_once"),
        ]

    def __str__(self) -> str:
        return self.file_name


class Snapshot(models.Model):
    """A dataset folder built from the Source; agents train and score on it, never on live rows."""

    tenant = models.CharField(_("tenant"), max_length=64, blank=True, db_index=True)
    folder = models.CharField(_("folder"), max_length=500)
    sha256 = models.CharField(max_length=64)
    watermark = models.DateTimeField(_("watermark"))
    events = models.PositiveBigIntegerField(_("events"))
    customers = models.PositiveIntegerField(_("customers"))
    products = models.PositiveIntegerField(_("products"))
    shards = models.PositiveIntegerField(_("shards"))
    incremental = models.BooleanField(_("incremental"), default=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    # How many of the tenant's erasures its files heed; fewer than there are means it is to be cleaned.
    erasures = models.PositiveIntegerField(default=0, editable=False)
    erased = models.PositiveIntegerField(
        _("customers erased"), default=0, help_text=_("Taken out of its files since it was built.")
    )
    removed_at = models.DateTimeField(
        _("files removed at"), null=True, blank=True, help_text=_("The row stays for what refers to it.")
    )

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{minute(self.watermark)} ({self.sha256[:8]})"


class OptOut(models.Model):
    """A customer who is not to be profiled: no agent learns from, scores or shows this one."""

    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    customer_id = models.CharField(_("customer"), max_length=64)
    reason = models.CharField(_("why"), max_length=500, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "customer_id"], name="crm_data_opted_out_once"),
        ]

    def __str__(self) -> str:
        return self.customer_id


class Erasure(models.Model):
    """A customer who was erased for good, known by a keyed digest of the id alone (`crm_data.digests`)."""

    tenant = models.CharField(_("tenant"), max_length=64, blank=True)
    digest = models.CharField(max_length=64)
    key_name = models.CharField(max_length=16)  # of the key that made the digest
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    # Until no file that was in use at the moment of the erasure is left to be cleaned.
    pending = models.BooleanField(_("files still in use"), default=True, db_index=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "digest"], name="crm_data_erased_once"),
        ]

    def __str__(self) -> str:
        return self.digest[:8]
