"""`manage.py agent …`: the life of an agent from the command line. The verbs: `management/actions`."""

from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm_agents.management.actions import ACTIONS, load
from crm_agents.services.publishing import GateNotPassed, NothingToRollBackTo
from crm_agents.services.runs import RunAlreadyActive
from crm_agents.services.scoring import NothingToScore, ScoringAlreadyActive
from handoff.errors import HandoffError

# Exceptions whose message is meant for the person at the keyboard.
FOR_PEOPLE = (
    GateNotPassed,
    HandoffError,
    LookupError,
    NothingToRollBackTo,
    NothingToScore,
    RunAlreadyActive,
    ScoringAlreadyActive,
)


class Command(BaseCommand):
    help = "Trains, compares, scores, publishes and rolls back agents."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        for name in ACTIONS:
            action = load(name)
            verb = verbs.add_parser(name.replace("_", "-"), help=action.HELP)
            action.arguments(verb)

    def handle(self, *args: Any, **options: Any) -> None:
        action = load(options["action"].replace("-", "_"))
        try:
            action.run(options, cast(IO[str], Verbatim(self.stdout)))
        except FOR_PEOPLE as error:
            raise CommandError(str(error)) from error


class Verbatim:
    """The command's output as a plain stream: Django's own adds a line's end to every write."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def write(self, text: str) -> int:
        self._wrapped.write(text, ending="")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)
