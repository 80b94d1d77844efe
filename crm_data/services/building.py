"""Folders under construction: held by a lock while their process lives, removed once it is dead."""

import fcntl
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX, LOCK = ".building-", ".lock"
ABANDONED_SECONDS = 86_400  # of a folder without a lock, as other programs may leave one


def working_folder(home: Path) -> Path:
    """Return a name for a folder under construction in `home`; nothing is created."""
    return home / f"{PREFIX}{uuid.uuid4().hex}"


@contextmanager
def held(working: Path) -> Iterator[None]:
    """Keep `remove_leftovers` away from a working folder; the kernel lets go of it when the process dies."""
    working.parent.mkdir(parents=True, exist_ok=True)
    lock = working.with_name(f"{working.name}{LOCK}")
    with lock.open("a") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            shutil.rmtree(working, ignore_errors=True)
            lock.unlink(missing_ok=True)


def remove_leftovers(home: Path) -> int:
    """Remove what processes that were killed have left under construction in `home`; return how much."""
    gone = sum(_remove(lock) for lock in home.glob(f"{PREFIX}*{LOCK}"))
    for folder in home.glob(f"{PREFIX}*"):
        if folder.is_dir() and not folder.with_name(f"{folder.name}{LOCK}").exists():
            gone += _remove_abandoned(folder)
    return gone


def _remove(lock: Path) -> bool:
    try:
        with lock.open("a") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_name(lock.name.removesuffix(LOCK)), ignore_errors=True)
            lock.unlink(missing_ok=True)
    except OSError:  # somebody is building, or the disk is not to be written to
        return False
    return True


def _remove_abandoned(folder: Path) -> bool:
    try:
        if time.time() - folder.stat().st_mtime < ABANDONED_SECONDS:
            return False
    except FileNotFoundError:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True
