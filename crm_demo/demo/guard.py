"""`python -m crm_demo.demo.guard COMMAND…`: run a command that ends when whoever started the guard ends.

The starter holds the other end of the guard's standard input. When that closes, for whatever reason (kill -9
included), the command gets SIGTERM, and after a time of grace SIGKILL goes to all that is left of it.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from types import FrameType

from crm_demo.demo.process_tree import descendants

GRACE_SECONDS = 6.0
PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Run `argv` until it ends or the starter does; return its exit status."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    # A process group of its own, so that Ctrl-C in the terminal reaches the starter alone.
    child = subprocess.Popen(  # noqa: S603  the command is the starter's own
        argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent
    )
    try:
        while child.poll() is None and not _starter_is_gone():
            pass
    except KeyboardInterrupt:
        pass
    return end(child)


def end(child: "subprocess.Popen[bytes]") -> int:
    """End the command and everything below it; return its exit status."""
    below = descendants(child.pid)
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
    below += descendants(child.pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for pid in below:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    status = child.wait()
    return status if status >= 0 else 128 - status  # as a shell tells of a signal; -9 would become 247


def _starter_is_gone() -> bool:
    """Wait a moment for the end of standard input."""
    ready, _, _ = select.select([sys.stdin], [], [], 0.2)
    return bool(ready) and not os.read(sys.stdin.fileno(), 1024)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
