"""No orphans: when a worker is killed outright, its pool processes and their trainers end too."""

import ctypes
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The worker imports this before it forks its pool. It may itself be process 1 of a container, so that the
# number 1 alone says nothing of who a process's parent is.
IMPORTED_BY = os.getpid()


def die_with_parent(**_signal: Any) -> None:
    """Have the kernel kill this process when the one that forked it ends (Linux; elsewhere nothing)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getpid() != IMPORTED_BY != os.getppid():  # the parent ended before the call above
        os.kill(os.getpid(), signal.SIGKILL)
