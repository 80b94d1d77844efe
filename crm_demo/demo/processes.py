"""The processes that the demo starts: each under a guard, so that none outlives the demo."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from crm_agents.exits import killed_by

STOP_SECONDS = 15.0


class ProcessEnded(Exception):
    """A process that should keep running has ended."""


@dataclass
class Processes:
    """Starts processes, notices when one ends, and stops them all. Use as a context manager."""

    folder: Path  # of the log files
    cwd: Path  # where the packages are
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, argv: list[str], *, environment: dict[str, str]) -> None:
        """Start `python argv…` under a guard; its output goes to `<folder>/<name>.log`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("wb") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603  our own commands
                [sys.executable, "-m", "crm_demo.demo.guard", sys.executable, *argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.cwd,
                env={**os.environ, **environment},
            )

    def check(self) -> None:
        """Raise ProcessEnded, with the end of its log, when one of them is no longer running."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self._log(name)
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise ProcessEnded(f"The {name} process {_how(process.returncode)}; {log} says:\n{tail}")

    def stop(self) -> None:
        """End them all and wait for it. Safe to call twice."""
        for process in self.running.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self.running.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _how(status: int) -> str:
    number = killed_by(status)
    if not number:
        return f"ended with status {status}"
    cause = " (most often out of memory)" if number == signal.SIGKILL else ""
    return f"was killed by signal {number}{cause}"
