"""Progress and outcome of a run, written by the trainer and followed by its supervisor."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from handoff.files import read_json, write_json
from handoff.missing import Missing

Phase = Literal["preparing", "pretraining", "training", "refitting", "evaluating", "scoring"]


@dataclass(frozen=True)
class Progress:
    """One line of `progress.jsonl`."""

    phase: Phase
    step: int
    of: int
    loss: float | None = None
    eta_seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    at: float = 0.0  # Unix time


class ProgressWriter:
    """Appends progress lines; at most one each `interval` seconds unless the phase or its end is reached."""

    def __init__(self, folder: Path, interval: float = 0.5) -> None:
        self._path = folder / "progress.jsonl"
        self._interval = interval
        self._last: Progress | None = None
        self._phase_started, self._first_step = time.time(), 0
        self._end_half_line()

    def _end_half_line(self) -> None:
        """Keep apart what an earlier attempt was killed in the middle of, and what follows."""
        if self._path.exists() and self._path.read_bytes()[-1:] not in (b"", b"\n"):
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def write(
        self,
        phase: Phase,
        step: int,
        of: int,
        *,
        loss: float | None = None,
        metrics: dict[str, float] | None = None,
    ) -> None:
        now = time.time()
        if self._last is None or self._last.phase != phase:
            self._phase_started, self._first_step = now, step
        elif step < of and not metrics and now - self._last.at < self._interval:
            return
        self._last = Progress(phase, step, of, loss, self._eta(step, of, now), metrics or {}, now)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self._last)) + "\n")

    def _eta(self, step: int, of: int, now: float) -> float | None:
        """Seconds to the phase's end by the pace of this process alone; None before it has one."""
        if 0 < of <= step:
            return 0.0
        taken = step - self._first_step  # a resumed run begins far from 0
        return (now - self._phase_started) / taken * (of - step) if taken > 0 else None


class ProgressReader:
    """Yields the lines that were added since the last call.

    A half-written last line waits; one that a killed attempt left for good is passed over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "progress.jsonl"
        self._offset = 0

    def read(self) -> Iterator[Progress]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                try:
                    yield Progress(**json.loads(line))
                except (ValueError, TypeError):
                    continue

    def skip_to_end(self) -> None:
        """Start after what an earlier attempt wrote."""
        self._offset = os.path.getsize(self._path) if self._path.exists() else 0


OutcomeStatus = Literal["succeeded", "not_enough_data", "failed"]


@dataclass(frozen=True)
class Outcome:
    """`outcome.json`: how `python -m neural` ended: a message for logs, and facts for people's words."""

    status: OutcomeStatus
    message: str = ""
    missing: tuple[Missing, ...] = ()

    def write(self, folder: Path) -> None:
        write_json(folder / "outcome.json", asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Outcome | None":
        """Return the outcome, or None where the process ended without one (killed, out of memory)."""
        path = folder / "outcome.json"
        if not path.exists():
            return None
        raw: dict[str, Any] = read_json(path)
        return cls(raw["status"], raw["message"], tuple(raw["missing"]))
