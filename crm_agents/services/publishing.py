"""Promoting a version and rolling back: a person's decision about what readers see."""

import datetime as dt

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from crm_agents.models import Agent, Kept, ModelVersion, RunStatus, ScoringRun
from crm_agents.models.agent import Verdict
from crm_agents.selectors import scoring_before
from crm_agents.services import audit
from crm_agents.services.scoring import cancel_scorings, newest_snapshot, point_to, start_scoring
from crm_agents.verdicts import verdict_sentences
from crm_agents.words import joined


class GateNotPassed(Exception):
    """The version failed its gate; promoting it needs a person's reason."""

    def __init__(self, version: ModelVersion) -> None:
        super().__init__(
            _("%(version)s did not pass its gate: %(reason)s Give a reason to promote it all the same.")
            % {"version": version, "reason": joined(verdict_sentences(version.verdict_reasons))}
        )
        self.version = version


class NothingToRollBackTo(Exception):
    """No other version has published scores that are still kept."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(_("%(agent)s has no other version with scores to roll back to.") % {"agent": agent})


def promote_version(
    version: ModelVersion, *, user: audit.Actor = None, override_reason: str = ""
) -> ScoringRun:
    """Make a version the live one and return the scoring that readers see, or will once it is complete.

    Its scores of the newest snapshot go live at once where they exist, and a shadow's where they are as
    new as the live ones; otherwise they are made first.
    Raises GateNotPassed for a failed version without a reason, NothingToScore, HandoffError.
    """
    override_reason = override_reason.strip()
    overridden = version.verdict != Verdict.PASSED
    if overridden and not override_reason:
        raise GateNotPassed(version)
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=version.agent_id)
        detail = {"override_reason": override_reason} if overridden else {}
        audit.record(agent, "version.promoted", version, user=user, detail=detail)
        scored = _scored(agent, version)
        if scored is None:
            return start_scoring(agent, version=version, user=user, supersede=True)
        cancel_scorings(agent, user=user)
        point_to(agent, scored)
        return scored


def roll_back(agent: Agent, *, user: audit.Actor = None) -> ScoringRun:
    """Show readers the scores of the version that was live before the live one, at once.

    A scoring under way is cancelled, so that it cannot undo the rollback. Raises NothingToRollBackTo.
    """
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        live = agent.live_version.number if agent.live_version else 0
        earlier = scoring_before(agent)
        if earlier is None:
            raise NothingToRollBackTo(agent)
        cancel_scorings(agent, user=user)
        point_to(agent, earlier)
        audit.record(agent, "version.rolled_back", earlier.version, user=user, detail={"from": live})
        return earlier


def _scored(agent: Agent, version: ModelVersion) -> ScoringRun | None:
    """Return the version's newest complete scoring that readers may be shown now, if there is one."""
    newest = newest_snapshot(agent)
    if newest is None:
        return None
    live = agent.live_scoring.as_of if agent.live_scoring else dt.datetime.min.replace(tzinfo=dt.UTC)
    kept = ScoringRun.objects.filter(
        agent=agent, version=version, status=RunStatus.SUCCEEDED, scores=Kept.KEPT
    ).filter(Q(published_at__isnull=False) | Q(shadow=True))
    fresh = kept.filter(Q(snapshot__sha256=newest.sha256) | Q(shadow=True, as_of__gte=live))
    return fresh.select_related("version__agent").order_by("-as_of", "-created_at").first()
