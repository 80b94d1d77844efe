"""Builds a snapshot: the CRM's rows at one moment, as a dataset folder that torch can read."""

import datetime as dt
import errno
import importlib.metadata
import logging
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import DatabaseError, transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_data import conf, reading
from crm_data.digests import ErasureKeyMissing
from crm_data.extraction import event_frames
from crm_data.models import Snapshot
from crm_data.paths import BadPath
from crm_data.selectors import get_source, snapshot_folder
from crm_data.services import changes, shards, tables
from crm_data.services.building import held, remove_leftovers, working_folder
from crm_data.services.sieve import Sieve
from crm_data.source import Source
from crm_data.suppression import Suppressed
from handoff.dataset import Dataset, Manifest, write_manifest
from handoff.errors import HandoffError
from handoff.files import publish_folder, read_json, write_json

logger = logging.getLogger(__name__)

STATE = "source.json"  # what the next, incremental build must know; no part of the data
KEPT = 3
Progress = Callable[[str, int, int], None]


class SnapshotError(Exception):
    """A snapshot could not be built; the message says why and what to do. Nothing was left behind."""


@dataclass(frozen=True)
class Base:
    """The earlier snapshot that an incremental one extends."""

    folder: Path
    watermark: dt.datetime
    shards: int


def build_snapshot(tenant: str = "", *, full: bool = False, on_progress: Progress | None = None) -> Snapshot:
    """Write the tenant's rows as a dataset folder and return its row.

    Built from the last snapshot where nothing before its watermark has changed, unless `full`.
    Raises SnapshotError.
    """
    home = conf.root() / "snapshots"
    working = working_folder(home)
    with _explained(working), held(working):
        working.mkdir()
        source = get_source()
        with source.scope(tenant):
            suppressed = Suppressed(tenant)
            manifest, incremental = _write(source, suppressed, working, full, on_progress or _silent)
        shutil.rmtree(working / "parts", ignore_errors=True)
        name = f"{manifest.watermark[:19].replace(':', '')}-{uuid.uuid4().hex[:8]}"
        publish_folder(working, home / name)
        snapshot = _recorded(manifest, home / name, incremental, suppressed.erasures)
    prune_snapshots(tenant)
    return snapshot


def prune_snapshots(tenant: str = "") -> int:
    """Delete the tenant's snapshots that nothing refers to, beyond the newest; return how many."""
    gone = 0
    for snapshot in Snapshot.objects.filter(tenant=tenant).order_by("-id")[KEPT:]:
        folder = conf.root() / snapshot.folder
        try:
            with transaction.atomic():  # the row goes last: a folder without one would stay for ever
                snapshot.delete()
                shutil.rmtree(folder, ignore_errors=True)
        except (ProtectedError, RestrictedError):
            continue
        gone += 1
    return gone


def _write(
    source: Source, suppressed: Suppressed, working: Path, full: bool, progress: Progress
) -> tuple[Manifest, bool]:
    tenant = suppressed.tenant
    watermark = timezone.now().astimezone(dt.UTC)
    progress("counting", 0, 1)
    tallies = [changes.tally(source, mapping, watermark) for mapping in source.interactions]
    total = sum(tally.kept for tally in tallies)
    count = shards.shards_for(total, conf.setting("SHARD_EVENTS"))
    base = None if full else _base(source, suppressed, count)
    dropped = Counter(
        {
            "no customer": sum(tally.guests for tally in tallies),
            "no date": sum(tally.undated for tally in tallies),
            "future": sum(tally.future for tally in tallies),
        }
    )
    sieve = Sieve(suppressed, dropped)
    _write_events(source, working, watermark, base, count, total, sieve, progress)
    customers = tables.write_customers(source, working, sieve, lambda done: progress("customers", done, done))
    named = tables.named_products(working)
    products = tables.write_products(source, working, named, lambda done: progress("products", done, done))
    tables.write_market(source, working)
    tables.write_labels(working, watermark, sieve)
    state = {
        "fingerprint": changes.fingerprint(source),
        "left_out": suppressed.fingerprint,
        "tallies": [asdict(tally) for tally in tallies],
        "dropped": {reason: rows for reason, rows in sorted(dropped.items()) if rows},
    }
    write_json(working / STATE, state)
    manifest = Manifest(
        shards=count,
        currency=source.currency,
        watermark=watermark.isoformat(),
        customers=customers,
        products=products,
        code_version=_code_version(),
        tenant=tenant,
        **_summary(working),
    )
    logger.info("Snapshot of tenant %r: %d events, left out: %s", tenant, manifest.events, state["dropped"])
    return write_manifest(working, manifest), base is not None


def _write_events(
    source: Source,
    working: Path,
    watermark: dt.datetime,
    base: Base | None,
    count: int,
    total: int,
    sieve: Sieve,
    progress: Progress,
) -> None:
    parts = working / "parts"
    parts.mkdir()

    def frames() -> Iterator[pl.DataFrame]:
        done = 0
        for mapping in source.interactions:
            found = changes.rows_to_read(source, mapping, watermark, base.watermark if base else None)
            for frame in event_frames(source, found, parts, sieve.dropped):
                done += len(frame)
                progress("events", done, max(total, done))
                yield sieve.without(frame)

    shards.spread(frames(), parts, count)
    shards.write_shards(
        working, parts, count, base.folder if base else None, lambda done, of: progress("shards", done, of)
    )


def _base(source: Source, suppressed: Suppressed, count: int) -> Base | None:
    """Return the newest snapshot, when its rows still stand as it read them, of the same customers."""
    last = Snapshot.objects.filter(tenant=suppressed.tenant).order_by("-id").first()
    if last is None or last.shards != count:
        return None
    try:
        folder = snapshot_folder(last)
        state = read_json(folder / STATE)
        base = Dataset.open(folder)
        base.verify()  # its files go into the new snapshot, under hashes taken anew
    except HandoffError:
        return None
    if (
        state.get("fingerprint") != changes.fingerprint(source)
        or state.get("left_out") != suppressed.fingerprint
        or base.manifest.code_version != _code_version()
    ):
        return None
    if not changes.unchanged_since(source, state["tallies"], last.watermark.astimezone(dt.UTC)):
        return None
    if not changes.keys_stand(source, folder):
        return None
    return Base(folder, last.watermark.astimezone(dt.UTC), count)


def _summary(folder: Path) -> dict[str, Any]:
    events = pl.scan_parquet(sorted((folder / "events").glob("*.parquet")))
    kinds = events.group_by("kind").len().collect().sort("kind")
    span = events.select(first=pl.col("at").min(), last=pl.col("at").max()).collect()
    first, last = span.row(0)
    return {
        "events": int(kinds["len"].sum()),
        "kinds": dict(zip(kinds["kind"], kinds["len"], strict=True)),
        "first_event": first.isoformat() if first else None,
        "last_event": last.isoformat() if last else None,
    }


def _recorded(manifest: Manifest, folder: Path, incremental: bool, erasures: int) -> Snapshot:
    try:
        return Snapshot.objects.create(
            tenant=manifest.tenant,
            folder=folder.relative_to(conf.root()).as_posix(),
            sha256=manifest.sha256,
            watermark=_as_stored(dt.datetime.fromisoformat(manifest.watermark)),
            events=manifest.events,
            customers=manifest.customers,
            products=manifest.products,
            shards=manifest.shards,
            incremental=incremental,
            erasures=erasures,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _explained(working: Path) -> Iterator[None]:
    """Turn what may go wrong into a sentence for people, and leave no half folder."""
    try:
        yield
    except SnapshotError:
        raise
    except (reading.UnknownCurrency, ErasureKeyMissing, HandoffError) as error:
        raise SnapshotError(str(error)) from error
    except (BadPath, FieldError, reading.UnknownModel, ImportError) as error:
        raise SnapshotError(
            _("The Source does not fit the tables: %(error)s Run `manage.py crm_source check`.")
            % {"error": error}
        ) from error
    except DatabaseError as error:
        raise SnapshotError(_("The database refused to be read: %(error)s") % {"error": error}) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SnapshotError(_disk_message(working, error)) from error
    finally:
        remove_leftovers(working.parent)


def _as_stored(moment: dt.datetime) -> dt.datetime:
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def _disk_message(working: Path, error: Exception) -> str:
    place = working.parent
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return _(
            "The disk that holds %(folder)s is full. Free some space, or let "
            'CRM_AGENTS["ROOT"] name a folder on another disk, and build again.'
        ) % {"folder": place}
    return _(
        "The files of the snapshot could not be written below %(folder)s: %(error)s. Check that the folder "
        "exists and that this process may write to it."
    ) % {"folder": place, "error": error}


def _code_version() -> str:
    try:
        return importlib.metadata.version("crm-agents")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


def _silent(phase: str, done: int, of: int) -> None:
    """Report nothing."""
