"""Settings that suit the amount of data, each with the fact that it follows from.

A recipe's and an agent's own settings win: these fill in only what nobody has said. The bounds are
coarse on purpose; a search finds better ones where it matters.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.models import Agent
from crm_agents.recipes import get_recipe
from crm_agents.words import number
from crm_data.models import Snapshot
from crm_data.selectors import snapshot_folder
from handoff.config import TrainingConfig
from handoff.dataset import Dataset, Manifest
from handoff.errors import HandoffError

# Customers below which a shop is small, and from which on it is large.
SMALL, LARGE = 1_000, 100_000
VISITS = (16, 32)  # what max_visits may be lowered to

REASONS = {
    "few_customers": gettext_lazy("few customers (%(count)s): smaller steps, more passes"),
    "many_customers": gettext_lazy("many customers (%(count)s): larger steps, fewer passes"),
    "room_to_learn": gettext_lazy("many customers (%(count)s) can teach a wider encoder"),
    "short_histories": gettext_lazy("about %(count)s events a customer: longer histories are rare"),
}


@dataclass(frozen=True)
class Suggestion:
    """A value for one setting, and why: a code of `REASONS` with its count."""

    value: float | int
    code: str
    count: int

    @property
    def sentence(self) -> str:
        why = REASONS[self.code] % {"count": number(self.count)}
        return _("Suggested for %(why)s.") % {"why": why}


def suggestions(agent: Agent) -> dict[str, Suggestion]:
    """Return values by setting, by the tenant's newest snapshot; {} where there is none to read."""
    manifest = newest_manifest(agent.tenant)
    if manifest is None:
        return {}
    said = {*get_recipe(agent.name).defaults(), *agent.config}
    return {name: found for name, found in _by_size(manifest).items() if name not in said}


def newest_manifest(tenant: str) -> Manifest | None:
    """Return what the tenant's newest snapshot holds; None where there is none, or it cannot be read."""
    snapshot = Snapshot.objects.filter(tenant=tenant).order_by("-id").first()
    try:
        return Dataset.open(snapshot_folder(snapshot)).manifest if snapshot else None
    except (HandoffError, OSError):
        return None


def _by_size(manifest: Manifest) -> dict[str, Suggestion]:
    customers = manifest.customers
    found: dict[str, Suggestion] = {}
    if 0 < customers < SMALL:
        values = {"batch_size": 32, "epochs": 12}
        found |= {name: Suggestion(value, "few_customers", customers) for name, value in values.items()}
    if customers >= LARGE:
        values = {"batch_size": 512, "epochs": 4}
        found |= {name: Suggestion(value, "many_customers", customers) for name, value in values.items()}
        found["width"] = Suggestion(128, "room_to_learn", customers)
    if customers and manifest.events:
        found |= _visits(round(manifest.events / customers))
    standard = {name: field.default for name, field in TrainingConfig.__dataclass_fields__.items()}
    return {name: each for name, each in found.items() if each.value != standard[name]}


def _visits(events: int) -> dict[str, Suggestion]:
    """Histories differ, and a visit has an event or more: four times the mean covers nearly all of them."""
    fitting = next((visits for visits in VISITS if visits >= 4 * events), None)
    return {"max_visits": Suggestion(fitting, "short_histories", events)} if fitting else {}
