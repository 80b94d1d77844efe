"""The demo itself: from an empty folder to a site that staff can use."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.db import connection

from crm_agents.models import Agent, TrainingRun
from crm_agents.services.agents import ensure_agents
from crm_agents.services.runs import RunAlreadyActive, start_run
from crm_demo.demo.options import DemoOptions, secret_key
from crm_demo.demo.process_tree import descendants, memory_mb
from crm_demo.demo.processes import Processes
from crm_demo.demo.staging import Login, Say, stage
from crm_demo.demo.terminal import Board
from crm_demo.demo.watching import View, view
from crm_demo.services.users import DEMO_MANAGER

POLL_SECONDS = 0.5
WEB_PATIENCE = 60.0  # seconds until the site must answer


class Interrupted(Exception):
    """Ctrl-C, or a request to end."""


@dataclass
class Show:
    """One demo, with what it measured on the way."""

    options: DemoOptions
    say: Say
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    logins: list[Login] = field(default_factory=list)

    def prepare(self) -> None:
        """Make the database ready. Raises DemoRefused."""
        with self._timed("prepare"):
            self.logins = stage(self.options, say=self.say)

    def start(self, processes: Processes) -> None:
        """Start the web process and the workers, each as a process of its own, and wait for the site."""
        environment = {"SECRET_KEY": secret_key(Path(settings.VAR))}
        with self._timed("start"):
            processes.start("worker", worker_command(), environment=environment)
            processes.start("interactive", interactive_command(), environment=environment)
            processes.start("web", web_command(self.options.port), environment=environment)
            self._await_site(processes)

    def train(self, processes: Processes, board: Board) -> list[tuple[Agent, View]]:
        """Start every agent that has nothing to show yet and follow them until each run has ended."""
        with self._timed("train_and_publish"):
            runs = [(agent, begin(agent)) for agent in ensure_agents()]
            while True:
                processes.check()
                self._measure(processes)
                views = [(agent, view(agent, run)) for agent, run in runs]
                board.show([seen.line() for _, seen in views])
                if all(seen.ended for _, seen in views):
                    return views
                time.sleep(POLL_SECONDS)

    def _await_site(self, processes: Processes) -> None:
        deadline = time.monotonic() + WEB_PATIENCE
        while time.monotonic() < deadline:
            processes.check()
            try:
                with urlopen(f"{self.options.url}admin/login/", timeout=5):  # noqa: S310  our own site
                    return
            except (URLError, TimeoutError, ConnectionError):
                time.sleep(0.2)
        raise TimeoutError(f"The site did not answer at {self.options.url} within {WEB_PATIENCE:.0f} s.")

    def _measure(self, processes: Processes) -> None:
        for name, process in processes.running.items():
            used = memory_mb([process.pid, *descendants(process.pid)])
            self.memory_mb[name] = max(self.memory_mb.get(name, 0.0), used)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - begun


def begin(agent: Agent) -> TrainingRun | None:
    """Start the agent's run, or return the one at work; None where scores are published already."""
    from django.contrib.auth import get_user_model

    if agent.live_scoring_id is not None:
        return None
    manager = get_user_model().objects.get(username=DEMO_MANAGER)
    try:
        return start_run(agent, user=manager)
    except RunAlreadyActive as active:
        return active.run


def worker_command() -> list[str]:
    """Two runs at a time, every queue but the one people wait for, and the clock that sends the sweeper."""
    return [
        *("-m", "celery", "--app", "crm_site", "worker", "--beat", "--concurrency", "2"),
        *("--queues", "default,gpu", "--loglevel", "INFO"),
    ]


def interactive_command() -> list[str]:
    """One process, which keeps the live models loaded in a child: answers that people wait for."""
    return [
        *("-m", "celery", "--app", "crm_site", "worker", "--pool", "solo", "--queues", "interactive"),
        *("--hostname", "interactive@%h", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    ]


def web_command(port: int) -> list[str]:
    return [
        *("-m", "gunicorn", "crm_site.wsgi", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--threads", "4", "--graceful-timeout", "2"),
    ]


def interrupt_on_signals() -> None:
    """Turn SIGTERM, SIGHUP and Ctrl-C into Interrupted, so that everything is ended in order."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)


def close_database() -> None:
    """Let go of the connection while nothing is asked of it."""
    connection.close()
