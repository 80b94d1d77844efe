"""Die with the worker: a trainer whose supervisor was killed must not go on alone."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends; exit at once if it already has.

    Linux only; elsewhere nothing is asked and the supervisor's own clean-up has to do.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.environ.get("CRM_SUPERVISOR_PID")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call above: then whoever adopted us is the parent now. Only the
    # supervisor can tell us its own id, because a worker may itself be process 1 of a container.
    if parent is not None and os.getppid() != int(parent):
        sys.exit(1)
