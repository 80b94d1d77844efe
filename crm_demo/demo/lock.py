"""One demo at a time in a folder: two would share a database, a queue and the files of the runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_demo.demo.options import DemoRefused


@contextmanager
def only_demo(folder: Path) -> Iterator[None]:
    """Hold `folder` for this demo; the system lets go of it however the process ends.

    Raises DemoRefused, before anything is touched, where another demo holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoRefused(_refusal(folder, _holder(file.name))) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _holder(name: str) -> str:
    pid = Path(name).read_text()
    return f" (process {pid})" if pid else ""


def _refusal(folder: Path, holder: str) -> str:
    return (
        f"Another demo is running in {folder}{holder}. End it with Ctrl-C, or name another folder in CRM_VAR "
        "and another PORT."
    )
