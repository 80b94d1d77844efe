"""What the page of a run shows of its report, by the run's purpose. A module adds its own to `REPORTS`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from crm_agents.models import TrainingRun

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin


@dataclass(frozen=True)
class RunReport:
    """A block of the run's page; the template finds `context` as `report`."""

    template: str
    context: dict[str, Any]


Writer = Callable[["AgentsAdmin", HttpRequest, TrainingRun], RunReport | None]
REPORTS: dict[str, Writer] = {}  # by purpose


def run_report(admin: "AgentsAdmin", request: HttpRequest, run: TrainingRun) -> RunReport | None:
    """Return the block for a run's purpose; None for a run that makes a version, or has no block."""
    write = REPORTS.get(run.purpose)
    return write(admin, request, run) if write else None
