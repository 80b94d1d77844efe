"""The verbs of `manage.py agent`, one module each: `range_test` is the verb `range-test`.

A module has `HELP: str`, `arguments(parser)` and `run(options, stdout)`. What a person got wrong is raised
as CommandError, or as one of the exceptions that the command itself puts into words. All modules are
imported each time, so heavy libraries are imported inside `run`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any, Protocol, cast

from django.core.management.base import CommandParser

from crm_agents.models import Agent
from crm_agents.services.agents import get_agent

# In the order of the command's own help.
ACTIONS = (
    "list",
    "status",
    "config",
    "train",
    "range_test",
    "sweep",
    "cancel",
    "score",
    "compare",
    "shadow",
    "promote",
    "rollback",
    "experiment",
    "inspect",
    "labels",
    "opt_out",
    "export_customer",
    "alerts",
    "watch",
    "erase",
    "heal",
)


class Action(Protocol):
    """A verb's module."""

    HELP: str

    def arguments(self, parser: CommandParser) -> None: ...
    def run(self, options: Mapping[str, Any], stdout: IO[str]) -> None: ...


def load(name: str) -> Action:
    return cast(Action, import_module(f"{__name__}.{name}"))


def agent_arguments(parser: CommandParser) -> None:
    """Add the agent that a verb is about."""
    parser.add_argument("agent", help="the name of its recipe")
    parser.add_argument("--tenant", default="")


def chosen_agent(options: Mapping[str, Any]) -> Agent:
    """Return the agent that `agent_arguments` asked for. Raises LookupError naming the known ones."""
    return get_agent(options["agent"], tenant=options["tenant"])
