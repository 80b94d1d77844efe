from collections.abc import Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from crm_agents.models import Agent, AuditEntry

Actor = AbstractBaseUser | AnonymousUser | None


def known(user: Actor) -> Any:
    """Return the user as a row may refer to it: None for a schedule or an anonymous one."""
    return user if user is not None and user.is_authenticated else None


def record(
    agent: Agent, action: str, subject: object, *, user: Actor = None, detail: Mapping[str, Any] | None = None
) -> AuditEntry:
    """Add one entry to the agent's audit trail; `detail` holds JSON values only."""
    return AuditEntry.objects.create(
        agent=agent, action=action, subject=str(subject)[:200], user=known(user), detail=dict(detail or {})
    )
