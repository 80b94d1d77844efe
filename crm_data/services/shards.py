"""Spreads events over a snapshot's shard files; memory is bounded by the largest shard."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from handoff.dataset import EVENTS, shard_name, shard_of, write_events

Done = Callable[[int, int], None]


def shards_for(events: int, size: int) -> int:
    """Return the number of shards: a power of two, so that a growing CRM seldom changes it."""
    return 1 << max(0, -(-events // size) - 1).bit_length()


def spread(frames: Iterable[pl.DataFrame], parts: Path, shards: int) -> None:
    """Write each frame's rows to `parts/<shard>/<n>.arrow`."""
    for number, frame in enumerate(frames):
        for shard, rows in _by_shard(frame, shards):
            folder = parts / str(shard)
            folder.mkdir(parents=True, exist_ok=True)
            rows.write_ipc(folder / f"{number:06d}.arrow")


def write_shards(folder: Path, parts: Path, shards: int, base: Path | None, done: Done) -> None:
    """Write every shard file from its parts and the base snapshot's; an unchanged one is linked."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        new = [pl.read_ipc(path) for path in sorted((parts / str(shard)).glob("*.arrow"))]
        old = base / shard_name(shard) if base else None
        if old is not None and not new:
            link(old, folder / shard_name(shard))
        else:
            before = [] if old is None else [pl.read_parquet(old)]
            write_events(folder, shard, pl.concat([EVENTS.to_frame(), *before, *new]))
        shutil.rmtree(parts / str(shard), ignore_errors=True)
        done(shard + 1, shards)


def link(old: Path, new: Path) -> None:
    """Give a file that never changes a second name, or copy it where the file system cannot."""
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def _by_shard(frame: pl.DataFrame, shards: int) -> Iterable[tuple[int, pl.DataFrame]]:
    if shards == 1:
        return [(0, frame)]
    customers = frame["customer"].unique()
    places = pl.DataFrame(
        {"customer": customers, "shard": [shard_of(customer, shards) for customer in customers]},
        schema_overrides={"shard": pl.UInt32},
    )
    placed = frame.join(places, on="customer")
    return [
        (int(key[0]), rows.drop("shard")) for key, rows in placed.partition_by("shard", as_dict=True).items()
    ]
