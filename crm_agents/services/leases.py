"""Who works on a row. Every write of a worker says "if the row is still mine"."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from crm_agents.models import Leased, RunStatus
from crm_data.conf import setting

WORKING_STATES = (RunStatus.PREPARING, RunStatus.TRAINING, RunStatus.EVALUATING, RunStatus.SCORING)
ENDED = {"lease_owner": None, "lease_until": None, "notice": ""}


class LeaseLost(Exception):
    """The row belongs to another worker, or is finished: stop, and write nothing more."""


class CancelRequested(Exception):
    """A person asked for the work to end."""


def lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=setting("LEASE_SECONDS"))


@dataclass(frozen=True)
class Lease:
    """One worker's hold on one row, from `claim` to `finish` or `release`."""

    model: type[Leased]
    pk: uuid.UUID
    owner: uuid.UUID

    def _mine(self) -> QuerySet[Leased]:
        return self.model._default_manager.filter(
            pk=self.pk, lease_owner=self.owner, status__in=WORKING_STATES
        )

    def write(self, **values: Any) -> None:
        """Renew the lease and change the row. Raises LeaseLost when it is no longer held."""
        if not self._mine().update(**{"lease_until": lease_end(), **values}):
            raise LeaseLost(f"{self.model.__name__} {self.pk}")

    def finish(self, status: RunStatus, **values: Any) -> None:
        """Let go of the row in a final state. Raises LeaseLost when it is no longer held."""
        self.write(status=status, finished_at=timezone.now(), **ENDED, **values)

    def release(self, *, counted: bool = False) -> None:
        """Give the row back unfinished, for the sweeper to wake; this attempt counts only if `counted`."""
        attempts = {} if counted else {"attempts": F("attempts") - 1}
        self.write(**ENDED, status=RunStatus.QUEUED, woken_at=None, **attempts)

    def to_be_cancelled(self) -> bool:
        return self._mine().filter(cancel_requested=True).exists()


def claim(model: type[Leased], pk: uuid.UUID | str, status: RunStatus) -> Lease | None:
    """Take a queued row; None where another worker has it, or it is finished, or unknown."""
    owner = uuid.uuid4()
    queued = model._default_manager.filter(pk=pk, status=RunStatus.QUEUED, cancel_requested=False)
    taken = queued.update(
        status=status,
        lease_owner=owner,
        lease_until=lease_end(),
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", timezone.now()),
        notice="",
    )
    return Lease(model, uuid.UUID(str(pk)), owner) if taken else None
