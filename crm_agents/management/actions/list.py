from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser

from crm_agents.models import Agent, Purpose
from crm_agents.services.agents import ensure_agents

HELP = "every agent, its last run and its live version"


def arguments(parser: CommandParser) -> None:
    pass


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    ensure_agents()
    for agent in Agent.objects.select_related("live_version"):
        last = agent.runs.filter(purpose=Purpose.TRAIN).first()
        live = f"v{agent.live_version.number}" if agent.live_version else "-"
        stdout.write(f"{agent}\t{last.status if last else '-'}\t{live}\n")
