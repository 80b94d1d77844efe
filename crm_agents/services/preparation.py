"""What a manager decides of an agent's data: which fields it does not see, and how events are cleaned."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm_agents.models import Agent, Purpose, RunStatus, TrainingRun
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.runs import active_run, planned_config
from handoff.config import Cleaning, TrainingConfig
from handoff.errors import HandoffError

EVENT_FIELDS = ("quantity", "amount")  # columns of events that a model can do without
LONGEST_NAME = 200


def newest_check(agent: Agent) -> TrainingRun | None:
    """Return the newest data check that has a report."""
    done = agent.runs.filter(purpose=Purpose.INSPECT, status=RunStatus.SUCCEEDED)
    return done.defer("log_tail").order_by("-created_at").first()


def last_check(agent: Agent) -> TrainingRun | None:
    """Return the newest data check, however it ended."""
    return agent.runs.filter(purpose=Purpose.INSPECT).defer("log_tail").order_by("-created_at").first()


def active_check(agent: Agent) -> TrainingRun | None:
    return active_run(agent, Purpose.INSPECT)


def prepare(
    agent: Agent, *, excluded: Iterable[str], cleaning: Mapping[str, Any], user: audit.Actor = None
) -> TrainingConfig:
    """Set the fields that the agent is not to see and the cleaning of its events, from the next run on.

    What equals the recipe's own is not stored. Raises HandoffError naming a bad value; nothing is changed
    then.
    """
    names = sorted({name.strip() for name in excluded} - {""})
    for name in names:
        if len(name) > LONGEST_NAME:
            raise HandoffError(
                _("excluded holds a name of %(length)s characters; at most %(limit)s fit.")
                % {"length": len(name), "limit": LONGEST_NAME}
            )
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        before = planned_config(agent, {})
        config = {**agent.config, "excluded": names, "cleaning": dict(cleaning)}
        agent.config = _without_defaults(agent, config)
        after = planned_config(agent, {})
        agent.save(update_fields=["config"])
        _record(agent, before, after, user)
    return after


def _without_defaults(agent: Agent, config: dict[str, Any]) -> dict[str, Any]:
    """Drop what the recipe says anyway, so that a later change of the recipe is followed."""
    bare = {name: value for name, value in config.items() if name not in ("excluded", "cleaning")}
    own = planned_config(Agent(name=agent.name, tenant=agent.tenant, config=bare), {})
    if sorted(own.excluded) != config["excluded"]:
        bare["excluded"] = config["excluded"]
    if own.cleaning != Cleaning(**config["cleaning"]):
        bare["cleaning"] = config["cleaning"]
    return bare


def _record(agent: Agent, before: TrainingConfig, after: TrainingConfig, user: audit.Actor) -> None:
    if set(before.excluded) != set(after.excluded):
        detail: dict[str, Any] = {
            "left out": sorted(set(after.excluded) - set(before.excluded)),
            "taken back": sorted(set(before.excluded) - set(after.excluded)),
        }
        audit.record(agent, AuditAction.FIELDS_EXCLUDED, agent, user=user, detail=detail)
    if before.cleaning != after.cleaning:
        detail = {"cleaning": vars(after.cleaning), "before": vars(before.cleaning)}
        audit.record(agent, AuditAction.SETTINGS_CHANGED, agent, user=user, detail=detail)
