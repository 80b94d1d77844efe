from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.following import follow
from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import Purpose, RunStatus
from crm_agents.readiness_words import readiness_lines
from crm_agents.services.runs import start_run

HELP = "check the data of an agent: what is there, what is wrong with it, and what to do"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="show the progress, then the report")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    check = start_run(chosen_agent(options), purpose=Purpose.INSPECT)
    stdout.write(_("Run %(run)s is queued. %(notice)s") % {"run": check.pk, "notice": check.notice} + "\n")
    if not options["wait"]:
        return
    check = follow(check, stdout)
    if check.status != RunStatus.SUCCEEDED:
        raise CommandError(check.error or _("The run did not succeed."))
    for line in readiness_lines(check.report):
        stdout.write(line + "\n")
