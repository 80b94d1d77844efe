"""What every command on a run folder has in common: done once, stopped by SIGTERM, ended by an outcome."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from handoff.errors import HandoffError, NotEnoughData
from handoff.progress import Outcome, ProgressWriter

REPORT = "report.json"  # what a command other than `train` leaves in its folder


class Stopped(Exception):
    """The supervisor asked the run to end (SIGTERM); its checkpoint is written."""


class StopFlag:
    """Set by SIGTERM, read between steps; with `at_once` whatever is being done ends there and then."""

    def __init__(self, at_once: bool = False) -> None:
        self.raised, self._at_once = False, at_once
        signal.signal(signal.SIGTERM, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised = True
        if self._at_once:
            raise Stopped

    def check(self) -> None:
        if self.raised:
            raise Stopped


def finish(
    folder: Path,
    result: str,
    work: Callable[[ProgressWriter, StopFlag], object],
    *,
    at_once: bool = False,
) -> Outcome:
    """Do `work`, which leaves `result` in the folder, and write how it ended; nothing where that is done.

    Work that keeps nothing for a next attempt may end `at_once` on SIGTERM, without looking at the flag.
    Raises Stopped on SIGTERM and HandoffError for bad input; then the caller says how it ended.
    """
    if not folder.is_dir():
        raise HandoffError(f"{folder} is not a folder: a run folder with config.json is needed.")
    finished = Outcome.read(folder)
    if finished is not None and finished.status == "succeeded" and (folder / result).exists():
        return finished
    (folder / "outcome.json").unlink(missing_ok=True)
    try:
        work(ProgressWriter(folder), StopFlag(at_once))
    except NotEnoughData as answer:
        outcome = Outcome("not_enough_data", str(answer), tuple(answer.missing))
    else:
        outcome = Outcome("succeeded")
    outcome.write(folder)
    return outcome
