"""`manage.py demo`: the whole path on one machine, from an empty folder to warnings that staff can see."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crm_agents.models import Agent
from crm_demo.demo.lock import only_demo
from crm_demo.demo.options import DemoOptions, DemoRefused
from crm_demo.demo.processes import ProcessEnded, Processes
from crm_demo.demo.show import Interrupted, Show, close_database, interrupt_on_signals
from crm_demo.demo.summary import summary
from crm_demo.demo.terminal import Board
from crm_demo.demo.watching import View


class Command(BaseCommand):
    help = "Fill a demo shop, start web and worker, fine-tune and publish the agents, stay up until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=3000, help="size of the simulated shop")
        parser.add_argument("--seed", type=int, default=1, help="of the simulated shop")
        parser.add_argument("--data", type=Path, help="a file of transactions instead of the simulator")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--fresh", action="store_true", help="throw the last demo away")
        parser.add_argument("--exit", action="store_true", help="end after publishing; print a JSON summary")

    def handle(self, *args: Any, **given: Any) -> None:
        names = ("customers", "seed", "data", "port", "fresh", "exit")
        options = DemoOptions(**{name: given[name] for name in names})
        interrupt_on_signals()
        begun = time.monotonic()
        try:
            with only_demo(Path(settings.VAR)):
                options.check()
                self._run(options, begun)
        except (DemoRefused, ProcessEnded, TimeoutError, ValueError) as error:
            raise CommandError(str(error)) from error
        except Interrupted:
            self.stdout.write("\nEverything that the demo started has ended.")

    def _run(self, options: DemoOptions, begun: float) -> None:
        show = Show(options, say=self.stdout.write)
        show.prepare()
        with Processes(folder=Path(settings.VAR) / "log", cwd=Path(settings.BASE_DIR)) as processes:
            self.stdout.write("Starting the web process and the worker …")
            show.start(processes)
            views = show.train(processes, Board(sys.stdout))
            show.seconds["total"] = time.monotonic() - begun
            self._welcome(show, views)
            close_database()
            while not options.exit:
                processes.check()
                time.sleep(1)
        report = summary(options, seconds=show.seconds, memory_mb=show.memory_mb, views=views)
        self.stdout.write(json.dumps(report))
        missing = ", ".join(seen.name for _, seen in views if not seen.published)
        if missing:
            raise CommandError(f"Not published: {missing}. The summary says why.", returncode=3)

    def _welcome(self, show: Show, views: list[tuple[Agent, View]]) -> None:
        for _, seen in views:
            self.stdout.write(f"{seen.name}: {seen.words}")
        self.stdout.write(f"\nOpen {show.options.url}admin/ and log in as one of:")
        for login in show.logins:
            self.stdout.write(f"  {login.role:<10} {login.username:<8} {login.password}")
        self.stdout.write("Ctrl-C ends everything.\n")
