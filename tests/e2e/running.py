"""A demo that runs as a newcomer's would: `manage.py demo` in a process of its own, in an empty folder."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 420.0
LOGIN = re.compile(r"^  (manager|sales rep) +(\S+) +(\S+)$", re.MULTILINE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def own_environment(folder: Path) -> Iterator[dict[str, str]]:
    """Yield an environment with data of its own: embedded, or a new database where a server is named."""
    environment = {**os.environ, "CRM_VAR": str(folder), "PYTHONUNBUFFERED": "1", "CRM_LEASE_SECONDS": "5"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment.pop("SECRET_KEY", None)
    broker = os.environ.get("CELERY_BROKER_URL", "")
    if broker.startswith("redis"):
        # Another database of the same server: the messages of other tests are not this demo's.
        environment["CELERY_BROKER_URL"] = urlunsplit(urlsplit(broker)._replace(path="/13"))
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith(("postgres://", "postgresql://")):
        yield environment
        return
    name = f"crm_demo_{os.getpid()}_{free_port()}"
    with own_database(server, name) as url:
        yield {**environment, "DATABASE_URL": url}


@contextlib.contextmanager
def own_database(server: str, name: str) -> Iterator[str]:
    """Create a database for a test, and drop it afterwards."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass
class Demo:
    """`manage.py demo …` while it runs."""

    environment: dict[str, str]
    arguments: list[str]
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        command = [sys.executable, "manage.py", "demo", "--port", str(self.port), *self.arguments]
        self.log = Path(self.environment["CRM_VAR"]).parent / f"demo-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def logins(self) -> dict[str, str]:
        """Return the printed passwords by user name."""
        return {name: password for _, name, password in LOGIN.findall(self.log.read_text())}

    def wait_until_up(self) -> None:
        """Wait for the log-ins to be printed, which is the last thing before the demo stays up."""
        deadline = time.monotonic() + UP_SECONDS
        while "Ctrl-C ends everything." not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The demo is not up:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.3)

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose environment names `folder` as CRM_VAR: all that a demo started."""
    wanted = f"CRM_VAR={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return sorted(found)


def wait_for_none(folder: Path, seconds: float = 20) -> list[int]:
    """Wait until nothing that a demo in `folder` started is left; return what is."""
    deadline = time.monotonic() + seconds
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    return processes_of(folder)
