import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class RunStatus(models.TextChoices):
    QUEUED = "queued", _("queued")
    PREPARING = "preparing", _("preparing")
    TRAINING = "training", _("training")
    EVALUATING = "evaluating", _("evaluating")
    SCORING = "scoring", _("scoring")
    SUCCEEDED = "succeeded", _("succeeded")
    NOT_ENOUGH_DATA = "not_enough_data", _("not enough data")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    PRUNED = "pruned", _("stopped early")  # a trial that fell behind the others


ACTIVE_STATES = (
    RunStatus.QUEUED,
    RunStatus.PREPARING,
    RunStatus.TRAINING,
    RunStatus.EVALUATING,
    RunStatus.SCORING,
)


class Leased(models.Model):
    """Work that one worker holds for a limited time and must keep renewing.

    A worker claims by `filter(status=queued).update(...)`; whoever changed the row has it. Every later
    write filters on `lease_owner`, so a worker that lost its lease can change nothing any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(
        _("status"), max_length=16, choices=RunStatus.choices, default=RunStatus.QUEUED, db_index=True
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_owner = models.UUIDField(null=True, blank=True, editable=False)  # drawn anew at each claim
    lease_until = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    error = models.TextField(_("error"), blank=True)
    # Empty while no message about this queued row has reached the queue: the sweeper then sends one.
    woken_at = models.DateTimeField(null=True, blank=True, editable=False)
    notice = models.TextField(
        _("notice"), blank=True, help_text=_("What holds up queued work, in words for a person.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_active(self) -> bool:
        """Whether the work is still to be done or being done."""
        return self.status in ACTIVE_STATES
