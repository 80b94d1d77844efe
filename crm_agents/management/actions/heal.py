from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

HELP = "requeue what dead workers left behind, now"


def arguments(parser: CommandParser) -> None:
    pass


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    from crm_agents.services.sweeping import sweep  # the worker's part: loads polars

    stdout.write(_("%(rows)s rows healed.") % {"rows": sweep()} + "\n")
