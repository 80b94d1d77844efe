"""How a process ended, read from its exit status."""

import signal

FATAL = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGTERM,
    }
)


def killed_by(status: int) -> int:
    """Return the number of the signal that ended a process, 0 where it ended by itself.

    `subprocess` gives -9 for a child that SIGKILL ended. A command that passes on how its own child ended
    gives 137 (128 + 9) as a shell does, or 247 (-9 in one byte).
    """
    if status < 0:
        return -status
    for number in FATAL:
        if status in (128 + number, 256 - number):
            return int(number)
    return 0
