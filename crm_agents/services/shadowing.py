"""The shadow: a version that scores beside the live one and is shown to nobody, until a person decides."""

from django.db import transaction
from django.utils.translation import gettext as _

from crm_agents.models import Agent, ModelVersion, ScoringRun
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.scoring import cancel_scorings, start_scoring


class IsLive(Exception):
    """Readers see the version already, so there is nothing to try out in the shadow."""

    def __init__(self, version: ModelVersion) -> None:
        super().__init__(
            _("%(version)s is live; only another version can be its shadow.") % {"version": version}
        )


class NoShadow(Exception):
    """The agent has no shadow that could be ended."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(_("%(agent)s has no version in the shadow.") % {"agent": agent})


def shadow_version(version: ModelVersion, *, user: audit.Actor = None) -> ScoringRun:
    """Score everybody with a version from now on, whenever the live one does; return its first scoring.

    It takes the place of an earlier shadow. Readers notice nothing. Raises IsLive, NothingToScore, and
    HandoffError when the newest snapshot cannot be read.
    """
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=version.agent_id)
        if agent.live_version_id == version.pk:
            raise IsLive(version)
        agent.shadow_version = version
        agent.save(update_fields=["shadow_version"])
        audit.record(agent, AuditAction.VERSION_SHADOWED, version, user=user)
        return start_scoring(agent, version=version, user=user, supersede=True, shadow=True)


def end_shadow(agent: Agent, *, user: audit.Actor = None) -> None:
    """Score with the shadow no more; its scores go with the next clearing up. Raises NoShadow."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        version = agent.shadow_version
        if version is None:
            raise NoShadow(agent)
        cancel_scorings(agent, user=user, shadow=True)
        agent.shadow_version = None
        agent.save(update_fields=["shadow_version"])
        audit.record(agent, AuditAction.SHADOW_ENDED, version, user=user)
