from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.services.scoring import start_scoring

HELP = "score the newest snapshot with the live version"
arguments = agent_arguments


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    scoring = start_scoring(chosen_agent(options))
    stdout.write(_("Scoring %(scoring)s is queued.") % {"scoring": scoring.pk} + "\n")
