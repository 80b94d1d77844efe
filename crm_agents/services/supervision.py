"""Running `python -m neural` as a child that is watched, can be stopped, and never outlives its worker."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

import handoff
from crm_agents.exits import killed_by
from crm_data.conf import setting

POLL_SECONDS = 0.5
GRACE_SECONDS = 20  # for a checkpoint, between SIGTERM and SIGKILL
LOG_TAIL = 4000  # characters
SECRETS = ("DATABASE_URL", "SECRET_KEY", "CELERY_BROKER_URL")


class ChildFailed(Exception):
    """The child ended without its result; the message says how, in words for a person."""


class ChildStopped(Exception):
    """Somebody else than us asked the child to stop: a shutdown of the machine, most often."""


class TryAgain(Exception):
    """The child was killed, and its work is worth another attempt; this one counts."""


class StoppedEarly(Exception):
    """Who watches has seen enough; `found` is what to store with the row."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__("The trial fell behind the others.")
        self.found = found


def run_child(arguments: Sequence[str], *, log: Path, watch: Callable[[], None]) -> int:
    """Run `neural` with `arguments` and return its exit status, calling `watch` about twice a second.

    Whatever `watch` raises stops the child and is passed on. Raises ChildStopped when somebody
    else sent the child SIGTERM.
    """
    command = setting("NEURAL_COMMAND") or [sys.executable, "-m", "neural"]
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  # our own command line, no shell
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(),
        )
    try:
        while not _ended(child):
            watch()
    finally:
        _stop(child)
    watch()
    if killed_by(child.returncode) == signal.SIGTERM:
        raise ChildStopped
    return child.returncode


def child_environment() -> dict[str, str]:
    """Return the child's environment: ours without secrets, with `neural` importable."""
    home = str(Path(handoff.__file__).resolve().parent.parent)
    kept = {name: value for name, value in os.environ.items() if name not in SECRETS}
    paths = [home, *filter(None, [kept.get("PYTHONPATH")])]
    threads = str(setting("THREADS"))
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "POLARS_MAX_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "CRM_SUPERVISOR_PID": str(os.getpid()),  # the child ends when this process is gone
    }


def explain_exit(code: int, log: str) -> str:
    """Say in words how a child ended that left no result."""
    number = killed_by(code)
    if number == signal.SIGKILL:
        return _(
            "The trainer was killed by signal 9 (most often out of memory). "
            "Lower batch_size or max_visits, or give the worker more memory."
        )
    if number:
        return _("The trainer was killed by signal %(number)s. The log holds its last words.") % {
            "number": number
        }
    last = log.strip().rpartition("\n")[2]
    return _("The trainer ended with exit status %(code)s: %(last)s") % {"code": code, "last": last}


def tail(log: Path) -> str:
    """Return the end of a log as text that every database can store."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL))
        return file.read().decode(errors="replace").replace("\0", "")


@contextmanager
def locked(folder: Path, *, patience: float) -> Iterator[None]:
    """Keep a second supervisor out of a run folder while a lost one may still be stopping its child.

    Raises ChildFailed when the folder is not free after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    with (folder / ".lock").open("a") as file:
        while not _lock(file.fileno()):
            if time.monotonic() > deadline:
                raise ChildFailed(_("Another process is still at work in %(folder)s.") % {"folder": folder})
            time.sleep(0.2)
        yield


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ended(child: "subprocess.Popen[bytes]") -> bool:
    try:
        child.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
