from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import ModelVersion
from crm_agents.services.shadowing import IsLive, NoShadow, end_shadow, shadow_version

HELP = "score with a version in the shadow, shown to nobody, or end that"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument("version", type=int, nargs="?", help="the version's number")
    parser.add_argument("--end", action="store_true", help="score with the shadow no more")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    if options["end"] == (options["version"] is not None):
        raise CommandError("Give either the number of a version or --end.")
    try:
        if options["end"]:
            end_shadow(agent)
            stdout.write(_("The shadow was ended.") + "\n")
            return
        version = ModelVersion.objects.filter(agent=agent, number=options["version"]).first()
        if version is None:
            raise CommandError(f"{agent} has no version {options['version']}.")
        scoring = shadow_version(version)
    except (IsLive, NoShadow) as error:
        raise CommandError(str(error)) from error
    text = _("%(version)s is scored in the shadow from now on: %(scoring)s.")
    stdout.write(text % {"version": version, "scoring": scoring.pk} + "\n")
