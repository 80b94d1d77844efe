"""No orphans: when a worker is killed outright, its pool processes and their trainers end too."""

import ctypes
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(**_signal: Any) -> None:
    """Have the kernel kill this process when the one that forked it ends (Linux; elsewhere nothing)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == 1:  # the parent ended before the call above
        os.kill(os.getpid(), signal.SIGKILL)
