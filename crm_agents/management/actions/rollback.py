from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.services.publishing import roll_back

HELP = "go back to the version that was live before"
arguments = agent_arguments


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    version = roll_back(chosen_agent(options)).version
    stdout.write(_("%(version)s is live.") % {"version": version} + "\n")
