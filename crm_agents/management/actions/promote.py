from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import ModelVersion
from crm_agents.services.publishing import promote_version

HELP = "make a version the live one"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument("version", type=int, help="the version's number")
    parser.add_argument("--reason", default="", help="why, where the gate was not passed")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    version = ModelVersion.objects.filter(agent=agent, number=options["version"]).first()
    if version is None:
        raise CommandError(f"{agent} has no version {options['version']}.")
    scoring = promote_version(version, override_reason=options["reason"])
    now = scoring.published_at is not None
    text = _("%(version)s is live.") if now else _("%(version)s goes live once it has scored everyone.")
    stdout.write(text % {"version": version} + "\n")
