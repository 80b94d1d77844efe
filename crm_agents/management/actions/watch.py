from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser

HELP = "make a round now: start what is due, judge old scores, open and close alerts"


def arguments(parser: CommandParser) -> None:
    """It takes none."""


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    from crm_agents.services.watching.keeping_watch import keep_watch  # the worker's part: loads polars

    keep_watch()
