from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.verdicts import verdict_sentences
from crm_data.clock import minute

HELP = "runs and versions of one agent"
arguments = agent_arguments


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    for one in agent.runs.defer("log_tail")[:5]:
        stdout.write(f"{one.pk}  {minute(one.created_at)}  {one.purpose}  {one.status}  {one.error}\n")
    for version in agent.versions.all()[:5]:
        live = _("live") if version.pk == agent.live_version_id else ""
        stdout.write(f"v{version.number}  {version.verdict}  {live}\n")
        for sentence in verdict_sentences(version.verdict_reasons):
            stdout.write(f"    {sentence}\n")
