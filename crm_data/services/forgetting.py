"""Taking erased customers out of a snapshot that exists already, and removing a snapshot's files."""

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from crm_data import conf
from crm_data.models import Erasure, Snapshot
from crm_data.selectors import snapshot_folder
from crm_data.services.building import held, working_folder
from crm_data.services.shards import link
from crm_data.services.snapshots import STATE
from crm_data.suppression import Suppressed
from handoff.dataset import Dataset, Manifest, shard_name, shard_of, write_manifest
from handoff.files import publish_folder, recover_folder

TABLES = ("customers", "labels")


def snapshots_to_clean(tenant: str) -> list[Snapshot]:
    """Return the tenant's snapshots whose files do not heed every erasure yet, the newest first."""
    erasures = Erasure.objects.filter(tenant=tenant).count()
    found = Snapshot.objects.filter(tenant=tenant, removed_at=None, erasures__lt=erasures)
    return list(found)


def clean_snapshot(snapshot: Snapshot, suppressed: Suppressed) -> int:
    """Take every erased customer out of the snapshot's files; return how many there were.

    The new folder takes the old one's place in one step, with a manifest of its own; what a process that was
    killed half-way left of either is put right first. The caller sees to it that nothing reads or cleans the
    folder meanwhile. Raises SnapshotRemoved, HandoffError for a folder that is no dataset.
    """
    folder = snapshot_folder(snapshot)
    recover_folder(folder)
    dataset = Dataset.open(folder)
    manifest, before = dataset.manifest, _left_out_before(snapshot, dataset.manifest)
    erased = suppressed.erased_among(_customers(dataset))
    if erased:
        working = working_folder(folder.parent)
        with held(working):
            manifest = _rewritten(dataset, working, sorted(erased))
            publish_folder(working, folder)
    Snapshot.objects.filter(pk=snapshot.pk).update(
        sha256=manifest.sha256,
        events=manifest.events,
        customers=manifest.customers,
        erasures=suppressed.erasures,
        erased=F("erased") + before + len(erased),
    )
    return before + len(erased)


def remove_files(snapshot: Snapshot) -> None:
    """Delete a snapshot's folder for good; the row stays and says when."""
    folder = conf.root() / snapshot.folder
    recover_folder(folder)
    with transaction.atomic():  # killed half-way, the row still says that there is something to delete
        Snapshot.objects.filter(pk=snapshot.pk).update(removed_at=timezone.now())
        shutil.rmtree(folder, ignore_errors=True)


def _left_out_before(snapshot: Snapshot, manifest: Manifest) -> int:
    """Return how many customers a cleaning took out that was killed before it could say so in the row."""
    if manifest.sha256 == snapshot.sha256:
        return 0
    return max(1, snapshot.customers - manifest.customers)


def _customers(dataset: Dataset) -> set[str]:
    frames = [pl.scan_parquet(path).select("customer") for path in _files_of_customers(dataset.folder)]
    return set(pl.concat(frames).unique().collect()["customer"])


def _files_of_customers(folder: Path) -> Iterable[Path]:
    yield from (path for name in TABLES if (path := folder / f"{name}.parquet").exists())
    yield from sorted((folder / "events").glob("shard-*.parquet"))


def _rewritten(dataset: Dataset, working: Path, erased: list[str]) -> Manifest:
    """Write the dataset anew without the erased; files that none of them is in are linked."""
    manifest, source = dataset.manifest, dataset.folder
    shards = {shard_name(shard_of(customer, manifest.shards)) for customer in erased}
    touched = shards | {f"{name}.parquet" for name in TABLES}
    (working / "events").mkdir(parents=True)
    for name in sorted(manifest.files):
        if name not in touched:
            link(source / name, working / name)
            continue
        frame = pl.read_parquet(source / name)
        frame = frame.filter(~pl.col("customer").is_in(erased))
        if name != "labels.parquet" or len(frame):
            frame.write_parquet(working / name, compression="zstd", statistics=True)
    if (source / STATE).exists():
        link(source / STATE, working / STATE)
    return write_manifest(working, replace(manifest, **_counts(working)))


def _counts(folder: Path) -> dict[str, Any]:
    events = pl.scan_parquet(sorted((folder / "events").glob("*.parquet")))
    facts = events.select(events=pl.len(), first=pl.col("at").min(), last=pl.col("at").max()).collect()
    kinds: Counter[str] = Counter(dict(events.group_by("kind").len().collect().iter_rows()))
    first, last = facts["first"][0], facts["last"][0]
    customers = pl.scan_parquet(folder / "customers.parquet").select(pl.len()).collect()
    return {
        "events": int(facts["events"][0]),
        "customers": int(customers.item()),
        "kinds": dict(sorted(kinds.items())),
        "first_event": first.isoformat() if first else None,
        "last_event": last.isoformat() if last else None,
    }
