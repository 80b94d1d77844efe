"""Retention: files that nothing needs any more go, and the rows stay and say so."""

import datetime as dt
import shutil
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from crm_agents.folders import PREDICTIONS, artifact_root
from crm_agents.models import ACTIVE_STATES, Agent, Kept, ModelVersion, ScoringRun, TrainingRun
from crm_agents.services.execution import RESUMED, tidy_run_folder
from crm_agents.services.privacy.erasing import busy_snapshots, finish_erasures
from crm_data.conf import root, setting
from crm_data.models import Snapshot
from crm_data.services.building import remove_leftovers
from crm_data.services.forgetting import remove_files


@dataclass(frozen=True)
class Tidied:
    """What was cleared up."""

    erasures: int  # completed, once nothing used the files any more
    snapshots: int  # whose files were removed
    run_folders: int


def tidy() -> Tidied:
    """Complete erasures, and remove snapshots and run folders that are too many or too old."""
    erasures = finish_erasures()
    remove_leftovers(root() / "snapshots")
    _tidy_ended_runs()
    tenants = list(Snapshot.objects.order_by().values_list("tenant", flat=True).distinct())
    snapshots = sum(remove_old_snapshots(tenant) for tenant in tenants)
    return Tidied(erasures, snapshots, remove_old_run_folders())


def remove_old_snapshots(tenant: str) -> int:
    """Delete the files of a tenant's snapshots beyond KEPT_SNAPSHOTS or KEPT_SNAPSHOT_DAYS; return how many.

    The newest one stays, with those of live, shadow and kept versions and of work under way.
    """
    present = list(Snapshot.objects.filter(tenant=tenant, removed_at=None).order_by("-id"))
    limit = timezone.now() - dt.timedelta(days=setting("KEPT_SNAPSHOT_DAYS"))
    kept = {snapshot.pk for snapshot in present[:1]} | needed_snapshots(tenant)
    old = [
        snapshot
        for place, snapshot in enumerate(present)
        if place >= setting("KEPT_SNAPSHOTS") or snapshot.created_at < limit
    ]
    gone = [snapshot for snapshot in old if snapshot.pk not in kept]
    for snapshot in gone:
        remove_files(snapshot)
    return len(gone)


def needed_snapshots(tenant: str) -> set[int]:
    """Return the keys of the snapshots that something in use was made from or works on."""
    versions: set[int | None] = set()
    for live, shadow in Agent.objects.filter(tenant=tenant).values_list("live_version", "shadow_version"):
        versions |= {live, shadow}
    scorings = ScoringRun.objects.filter(agent__tenant=tenant).exclude(scores=Kept.GONE)
    kept = scorings.values_list("version", "version__snapshot", "snapshot")
    needed = {key for _version, *keys in kept for key in keys}
    needed |= set(_snapshots_of({version for version in versions if version is not None}))
    return {key for key in needed if key is not None} | busy_snapshots(tenant)


def remove_old_run_folders() -> int:
    """Delete the folders of runs that ended KEPT_RUN_DAYS ago or are not known any more; return how many."""
    present = {path.name: path for path in (root() / "runs").glob("*") if path.is_dir()}
    known = [name for name in present if _is_id(name)]
    limit = timezone.now() - dt.timedelta(days=setting("KEPT_RUN_DAYS"))
    rows = dict(TrainingRun.objects.values_list("pk", "finished_at"))
    active = set(TrainingRun.objects.filter(status__in=ACTIVE_STATES).values_list("pk", flat=True))
    gone = 0
    for name in known:
        key = UUID(name)
        ended = rows.get(key)
        if key in active or (key in rows and (ended is None or ended > limit)):
            continue
        if key not in rows and not _settled(present[name].stat().st_mtime, limit):
            continue
        shutil.rmtree(present[name], ignore_errors=True)
        gone += 1
    return gone


def _tidy_ended_runs() -> None:
    """Do what a worker that was killed right after the end of its run did not come to."""
    left = {folder.parent.name for name in RESUMED for folder in (root() / "runs").glob(f"*/{name}")}
    left |= {path.name.removeprefix(".staged-") for path in artifact_root().glob("*/.staged-*")}
    left |= {path.parent.name for path in (root() / "runs").glob(f"*/{PREDICTIONS}")}
    keys = [name for name in left if _is_id(name)]
    for run in TrainingRun.objects.select_related("agent").filter(pk__in=keys):
        tidy_run_folder(run)


def _snapshots_of(versions: set[int]) -> list[int]:
    return list(ModelVersion.objects.filter(pk__in=versions).values_list("snapshot", flat=True))


def _settled(changed: float, limit: dt.datetime) -> bool:
    """Whether a folder of nobody's has lain untouched for as long: another database may share the root."""
    return dt.datetime.fromtimestamp(changed, dt.UTC) < limit


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
