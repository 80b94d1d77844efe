"""Writing files so that a reader, or the next start after a crash, never sees half of one."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handoff.errors import HandoffError


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in bounded memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the entries of `folder` durable (renames are not, until their folder is synced)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: temporary name, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as sorted, indented JSON in one step."""
    write_bytes(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises HandoffError naming the path when the file is missing or is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HandoffError(f"{path} does not exist.") from error
    except ValueError as error:
        raise HandoffError(f"{path} is not valid JSON ({error}).") from error
    if not isinstance(value, dict):
        raise HandoffError(f"{path} holds {type(value).__name__}, not a JSON object.")
    return value


def sync_tree(folder: Path) -> None:
    """Make every file below `folder` durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def publish_folder(temporary: Path, final: Path) -> None:
    """Put a finished folder in its place in one rename, replacing an earlier one.

    The earlier folder is moved aside first; a crash between the two renames leaves no folder at
    `final`, never half of one.
    """
    sync_tree(temporary)
    aside = _aside(final)
    if final.exists():
        shutil.rmtree(aside, ignore_errors=True)
        final.replace(aside)
    else:
        final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)
    shutil.rmtree(aside, ignore_errors=True)
    sync_folder(final.parent)


def recover_folder(final: Path) -> None:
    """Undo what a `publish_folder` that was killed has left: the earlier folder comes back, or goes."""
    aside = _aside(final)
    if final.exists():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside.exists():
        aside.replace(final)
        sync_folder(final.parent)


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")
