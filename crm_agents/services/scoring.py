"""Starting, ending and publishing a scoring: what needs no worker. `shards` does the work."""

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.models import (
    ACTIVE_STATES,
    Agent,
    ModelVersion,
    RunStatus,
    ScoringRun,
    ScoringShard,
)
from crm_agents.services import audit
from crm_agents.services.freshness import carry_over
from crm_agents.services.privacy.rows import drop_left_out
from crm_agents.services.waking import wake
from crm_data.clock import minute
from crm_data.models import Snapshot
from crm_data.selectors import snapshot_folder
from handoff.errors import HandoffError
from handoff.files import read_json


class NothingToScore(Exception):
    """There is no version, or no snapshot, to score with; the message says which."""


class ScoringAlreadyActive(Exception):
    """The agent is being scored; it is `scoring`."""

    def __init__(self, scoring: ScoringRun) -> None:
        super().__init__(
            _("%(agent)s is being scored already, since %(at)s.")
            % {"agent": scoring.agent, "at": minute(scoring.created_at)}
        )
        self.scoring = scoring


def start_scoring(
    agent: Agent,
    *,
    version: ModelVersion | None = None,
    user: audit.Actor = None,
    supersede: bool = False,
    shadow: bool = False,
) -> ScoringRun:
    """Store a scoring of the newest snapshot by `version` (default: the live one), one shard a task.

    A `shadow` scoring runs beside the live one and is shown to nobody. With `supersede`, an active
    scoring of the same sort is cancelled first. Raises NothingToScore, ScoringAlreadyActive, and
    HandoffError when the snapshot's manifest cannot be read.
    """
    try:
        with transaction.atomic():
            # The caller's copy may be minutes old; a promotion since then must not be undone.
            agent = Agent.objects.select_for_update().get(pk=agent.pk)
            version = version or agent.live_version
            if version is None:
                raise NothingToScore(_("%(agent)s has no live version to score with.") % {"agent": agent})
            snapshot = newest_snapshot(agent)
            if snapshot is None:
                raise NothingToScore(_("There is no snapshot yet: train the agent first."))
            scoring = ScoringRun(
                agent=agent, version=version, snapshot=snapshot, as_of=last_event(snapshot), shadow=shadow
            )
            if supersede:
                cancel_scorings(agent, user=user, shadow=shadow)
            return _store(scoring, snapshot.shards, user)
    except IntegrityError as error:
        active = ScoringRun.objects.filter(agent=agent, shadow=shadow, status__in=ACTIVE_STATES).first()
        if active is None:
            raise
        raise ScoringAlreadyActive(active) from error


def fail_to_start(agent: Agent, version: ModelVersion, error: str) -> ScoringRun | None:
    """Store, for people to see, that the newest snapshot cannot be scored by `version`; no shard is begun."""
    snapshot = newest_snapshot(agent)
    if snapshot is None:
        return None
    message = _("%(error)s Build the snapshot anew (build_snapshot --full), then promote %(version)s.") % {
        "error": error,
        "version": version,
    }
    now = timezone.now()
    scoring = ScoringRun.objects.create(
        agent=agent,
        version=version,
        snapshot=snapshot,
        as_of=snapshot.watermark,
        status=RunStatus.FAILED,
        error=message,
        finished_at=now,
    )
    audit.record(agent, "scoring.failed", version, detail={"error": message})
    return scoring


def newest_snapshot(agent: Agent) -> Snapshot | None:
    return Snapshot.objects.filter(tenant=agent.tenant).order_by("-id").first()


def cancel_scorings(agent: Agent, *, user: audit.Actor = None, shadow: bool = False) -> int:
    """End the agent's active scoring, or that of its shadow; what is live stays live. Return how many."""
    with transaction.atomic():
        # First, as a worker does that ends a shard: the other way round each might wait for the other.
        Agent.objects.select_for_update().get(pk=agent.pk)
        active = list(ScoringRun.objects.filter(agent=agent, shadow=shadow, status__in=ACTIVE_STATES))
        for scoring in active:
            end_scoring(scoring, RunStatus.CANCELLED, _("Superseded or cancelled."))
            audit.record(agent, "scoring.cancelled", scoring.pk, user=user)
    return len(active)


def end_scoring(scoring: ScoringRun, status: RunStatus, error: str) -> bool:
    """End an active scoring unpublished and stop its shards; False where it had ended before."""
    with transaction.atomic():
        ended = ScoringRun.objects.filter(pk=scoring.pk, status__in=ACTIVE_STATES).update(
            status=status, error=error, finished_at=timezone.now()
        )
        shards = ScoringShard.objects.filter(scoring=scoring)
        shards.filter(status=RunStatus.QUEUED).update(status=RunStatus.CANCELLED, finished_at=timezone.now())
        shards.filter(status__in=ACTIVE_STATES).update(cancel_requested=True)
    return bool(ended)


def publish_if_complete(agent: Agent, scoring: ScoringRun) -> bool:
    """Flip the agent's pointer to a scoring whose shards are all in. The caller has locked the agent.

    A shadow's scoring ends in the same way and moves no pointer. False where nothing was published.
    """
    shards = ScoringShard.objects.filter(scoring=scoring)
    if shards.exclude(status=RunStatus.SUCCEEDED).exists():
        return False
    now = timezone.now()
    rows = (shards.aggregate(total=Sum("rows"))["total"] or 0) - drop_left_out(scoring)
    if not ScoringRun.objects.filter(pk=scoring.pk, status__in=ACTIVE_STATES).update(
        status=RunStatus.SUCCEEDED, rows=rows, finished_at=now
    ):
        return False
    if scoring.shadow:
        return False
    point_to(agent, scoring)
    detail = {"scoring": str(scoring.pk), "rows": rows}
    audit.record(agent, "scores.published", scoring.version, detail=detail)
    return True


def point_to(agent: Agent, scoring: ScoringRun) -> None:
    """Show readers the rows of `scoring` from now on; the caller has locked the agent.

    The order of `published_at` is the order in which score sets went live, so a set that goes live
    again is published anew. A version that goes live is no shadow any more.
    """
    scoring.published_at, scoring.shadow = timezone.now(), False
    scoring.save(update_fields=["published_at", "shadow"])
    agent.live_scoring = scoring
    agent.live_version = scoring.version
    if agent.shadow_version_id == scoring.version_id:
        cancel_scorings(agent, shadow=True)
        agent.shadow_version = None
    agent.save(update_fields=["live_scoring", "live_version", "shadow_version"])
    carry_over(agent, scoring)


def _store(scoring: ScoringRun, shards: int, user: audit.Actor) -> ScoringRun:
    scoring.save(force_insert=True)
    rows = ScoringShard.objects.bulk_create(
        ScoringShard(scoring=scoring, shard=number) for number in range(shards)
    )
    detail = {"scoring": str(scoring.pk), **({"shadow": True} if scoring.shadow else {})}
    audit.record(scoring.agent, "scoring.started", scoring.version, user=user, detail=detail)
    wake(rows)
    return scoring


def last_event(snapshot: Snapshot) -> dt.datetime:
    """Return the moment that scores of a snapshot speak of: its last event, which may be long past.

    Raises HandoffError when the manifest cannot be read.
    """
    path = snapshot_folder(snapshot) / "manifest.json"
    last = read_json(path).get("last_event")
    try:
        return dt.datetime.fromisoformat(last) if last else snapshot.watermark
    except (TypeError, ValueError) as error:
        raise HandoffError(f"{path}: last_event is {last!r}, which is no time in ISO form.") from error
