from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

HELP = "requeue what dead workers left behind and clear up old files, now"


def arguments(parser: CommandParser) -> None:
    pass


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    from crm_agents.services.sweeping import sweep  # the worker's part: loads polars
    from crm_agents.services.tidying import tidy

    stdout.write(_("%(rows)s rows healed.") % {"rows": sweep()} + "\n")
    tidied = tidy()
    if not any(vars(tidied).values()):
        return
    stdout.write(
        _(
            "Cleared up: %(snapshots)s old snapshots, %(runs)s folders of ended runs, %(erasures)s erasures "
            "completed."
        )
        % {"snapshots": tidied.snapshots, "runs": tidied.run_folders, "erasures": tidied.erasures}
        + "\n"
    )
