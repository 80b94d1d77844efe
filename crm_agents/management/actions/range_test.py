from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.management.actions.train import tell_queued, wait_for
from crm_agents.management.settings import settings_arguments, settings_of
from crm_agents.models import Purpose
from crm_agents.services.runs import start_run

HELP = "find a learning rate: train a little while it rises, and see where the loss falls fastest"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    settings_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="show the progress, then the rate")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    started = start_run(agent, config=settings_of(agent, options), purpose=Purpose.RANGE_TEST)
    tell_queued(started, stdout)
    if not options["wait"]:
        return
    suggested = wait_for(started, stdout).report.get("suggested")
    if suggested:
        stdout.write(_("Suggested learning rate: %(rate)s") % {"rate": f"{suggested:.3g}"} + "\n")
    else:
        stdout.write(_("The loss fell nowhere, so no learning rate is suggested.") + "\n")
