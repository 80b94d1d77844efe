"""Changing what an agent has of its own: the overrides of its recipe."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from crm_agents.models import Agent
from crm_agents.services import audit
from crm_agents.services.runs import planned_config


def change_settings(agent: Agent, config: Mapping[str, Any], *, user: audit.Actor = None) -> bool:
    """Store `config` as the agent's overrides; False where nothing would change.

    What a run has begun with stays as it is. Raises HandoffError naming a value that cannot be.
    """
    wanted = dict(config)
    with transaction.atomic():
        locked = Agent.objects.select_for_update().get(pk=agent.pk)
        before, locked.config = locked.config, wanted
        planned_config(locked, {})
        if wanted == before:
            return False
        Agent.objects.filter(pk=agent.pk).update(config=wanted)
        names = sorted({*before, *wanted})
        changed = {
            name: [before.get(name), wanted.get(name)]
            for name in names
            if before.get(name) != wanted.get(name)
        }
        audit.record(agent, "settings.changed", agent, user=user, detail={"changed": changed})
    agent.config = wanted
    return True
