"""Processes and their descendants, read from /proc; on systems without it there are none to see."""

from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, nearest first, `pid` itself left out."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(0), [])
        found += below
        waiting += below
    return found


def memory_mb(pids: Iterable[int]) -> float:
    """Return the memory of the processes together in MB, shared pages counted once."""
    return sum(_proportional_kb(pid) for pid in pids) / 1024


def _parents() -> Iterable[tuple[int, int]]:
    for entry in PROC.glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces and parentheses itself.
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        yield int(entry.parent.name), int(fields[1])


def _proportional_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
