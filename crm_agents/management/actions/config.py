from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.management.settings import settings_arguments, settings_of
from crm_agents.settings_file import all_settings, write_yaml

HELP = "write an agent's settings as YAML, to be changed and given to train, sweep or range-test"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    settings_arguments(parser)


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    stdout.write(write_yaml(agent, all_settings(agent, settings_of(agent, options))))
