"""A real Celery worker in a process of its own, on the test's database, broker and files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from celery import current_app
from django.conf import settings
from django.db import connection

REPOSITORY = Path(__file__).resolve().parent.parent
SERVERS = {"postgresql": "postgres"}


class WorkerProcess:
    """`celery worker -B` for the length of a `with` block; needs a `transactional_db`.

    `folder` receives the log (`worker-<n>.log`). Further environment variables are given by name:
    CRM_LEASE_SECONDS="3", say.
    """

    _started = 0

    def __init__(self, folder: Path, *, interactive: bool = False, **environment: str) -> None:
        """`interactive` starts the worker of that queue alone, as the demo does."""
        WorkerProcess._started += 1
        self._only = ["-P", "solo", "-Q", "interactive"] if interactive else []
        self.log = folder / f"worker-{WorkerProcess._started}.log"
        self._environment = {**os.environ, **surroundings(), **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the worker and wait until it takes messages."""
        command = [sys.executable, "-m", "celery", "-A", "crm_site", "worker", "-l", "INFO"]
        command += self._only or ["-B", "-P", "prefork", "-c", "2", "-Q", "default,gpu,interactive"]
        command += ["-n", f"test{os.getpid()}.{WorkerProcess._started}@%h"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        wait_for(lambda: self._ended() or " ready." in self.log.read_text(), seconds=60, about=self.log)
        assert not self._ended(), self.log.read_text()[-3000:]

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End the worker the hard way, as the kernel does when memory runs out."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """Shut the worker down, kindly for ten seconds."""
        if self._process is None or self._ended():
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def surroundings() -> dict[str, str]:
    """Return the environment by which another process sees this test's database, broker and files."""
    agents = settings.CRM_AGENTS
    return {
        "CRM_VAR": str(settings.VAR),
        "CRM_ROOT": str(agents["ROOT"]),
        "CRM_LEASE_SECONDS": "3",
        "CRM_SWEEP_SECONDS": "1",
        "DATABASE_URL": database_url(),
        "CRM_NEURAL_COMMAND": ",".join(agents.get("NEURAL_COMMAND", [])),
    }


def database_url() -> str:
    """Return the URL of the database that the test itself is using."""
    raw: dict[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{raw['NAME']}"
    login = f"{raw['USER']}:{raw['PASSWORD']}" if raw["PASSWORD"] else raw["USER"]
    return f"{SERVERS[connection.vendor]}://{login}@{raw['HOST']}:{raw['PORT']}/{raw['NAME']}"


def empty_queues() -> None:
    """Drop the messages that earlier tests left in the broker."""
    with current_app.connection_for_write() as broker:
        for name in ("default", "gpu", "interactive"):
            queue = current_app.amqp.queues[name](broker.default_channel)
            queue.declare()
            queue.purge()


def wait_for(ready: Callable[[], object], *, seconds: float = 30, about: Path | None = None) -> None:
    """Wait until `ready` returns something true; fail with the end of the log `about` otherwise."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            log = about.read_text()[-3000:] if about else ""
            raise AssertionError(f"Waited {seconds} s in vain.\n{log}")
        time.sleep(0.1)
