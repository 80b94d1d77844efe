from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import Purpose
from crm_agents.services.runs import active_run, cancel_run

HELP = "end the active run"
PURPOSES = [purpose.value for purpose in Purpose if purpose != Purpose.TRIAL]


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument("--purpose", choices=PURPOSES, default=Purpose.TRAIN.value)


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    active = active_run(agent, Purpose(options["purpose"]))
    if active is None:
        raise CommandError(_("%(agent)s has no active run.") % {"agent": agent})
    cancel_run(active)
    stdout.write(_("Run %(run)s is being cancelled.") % {"run": active.pk} + "\n")
