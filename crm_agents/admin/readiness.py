"""Whether the data suffices for an agent, as its last snapshot shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from crm_agents.words import number
from crm_data.models import Snapshot
from crm_data.selectors import snapshot_folder
from handoff.config import TrainingConfig
from handoff.dataset import Dataset, Manifest
from handoff.errors import HandoffError


@dataclass(frozen=True)
class Need:
    """One requirement: what there is against what the agent asks for."""

    label: str
    present: str
    needed: str
    met: bool


@dataclass(frozen=True)
class Readiness:
    snapshot: Snapshot | None
    needs: Sequence[Need] = ()
    problem: str = ""  # why the needs cannot be told

    @property
    def ready(self) -> bool:
        return bool(self.needs) and all(need.met for need in self.needs)


def readiness(tenant: str, config: TrainingConfig) -> Readiness:
    """Compare the newest snapshot of a tenant with what the configuration asks for."""
    snapshot = Snapshot.objects.filter(tenant=tenant).order_by("-id").first()
    if snapshot is None:
        return Readiness(None, problem=_("There is no snapshot yet. Starting a run builds one."))
    try:
        manifest = Dataset.open(snapshot_folder(snapshot)).manifest
    except (HandoffError, OSError) as error:
        return Readiness(snapshot, problem=str(error))
    return Readiness(snapshot, _needs(manifest, config))


def _needs(manifest: Manifest, config: TrainingConfig) -> list[Need]:
    outcomes = sum(manifest.kinds.get(kind, 0) for kind in config.outcome_kinds)
    found = (
        (_("Customers"), manifest.customers, config.minimum.customers),
        (
            _("Events of the outcome (%s)") % ", ".join(config.outcome_kinds),
            outcomes,
            config.minimum.purchases,
        ),
        (_("Days of history"), _days(manifest), config.needed_days),
    )
    return [Need(label, number(have), number(least), have >= least) for label, have, least in found]


def _days(manifest: Manifest) -> int:
    if not (manifest.first_event and manifest.last_event):
        return 0
    first, last = (datetime.fromisoformat(at) for at in (manifest.first_event, manifest.last_event))
    return (last - first).days
