from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.cards.comparing import side_by_side
from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import ModelVersion
from crm_agents.services.comparing import MOST, chosen_versions, compare, reference_of

HELP = "versions side by side, with the differences that are more than chance"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument("versions", type=int, nargs="+", help=f"numbers of two to {MOST} versions")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    wanted: list[int] = options["versions"]
    known = dict(ModelVersion.objects.filter(agent=agent, number__in=wanted).values_list("number", "pk"))
    missing = [number for number in wanted if number not in known]
    if missing:
        raise CommandError(f"{agent} has no version {', '.join(map(str, missing))}.")
    versions = chosen_versions([known[number] for number in wanted])
    side = side_by_side(versions, compare(versions))
    for note in side.notes:
        stdout.write(f"{note}\n")
    stdout.write(_("Compared with %(version)s.") % {"version": reference_of(versions)} + "\n")
    stdout.write("\t".join([_("metric"), *(f"v{version.number}" for version in versions)]) + "\n")
    for label, cells in side.rows:
        stdout.write("\t".join([label, *(_cell(cell.text, cell.lead) for cell in cells)]) + "\n")


def _cell(text: str, lead: Any) -> str:
    return f"{text} ({lead.text}, {lead.word})" if lead is not None and lead.word else text
