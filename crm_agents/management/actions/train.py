from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.following import follow
from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.management.settings import settings_arguments, settings_of
from crm_agents.models import RunStatus, TrainingRun
from crm_agents.services.runs import cancel_run, start_run

HELP = "start a fine-tuning run"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    settings_arguments(parser)
    parser.add_argument("--no-publish", action="store_true", help="keep the version, do not score with it")
    parser.add_argument("--wait", action="store_true", help="show the progress until the scores are live")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    settings = settings_of(agent, options)
    started = start_run(agent, config=settings, publish=not options["no_publish"])
    tell_queued(started, stdout)
    if options["wait"]:
        wait_for(started, stdout)


def tell_queued(started: TrainingRun, stdout: IO[str]) -> None:
    text = _("Run %(run)s is queued. %(notice)s")
    stdout.write(text % {"run": started.pk, "notice": started.notice} + "\n")


def wait_for(started: TrainingRun, stdout: IO[str]) -> TrainingRun:
    """Show a run until its end; Ctrl-C cancels it. Raises CommandError where it did not succeed."""
    try:
        ended = follow(started, stdout)
    except KeyboardInterrupt:
        cancel_run(started)
        raise
    if ended.status not in (RunStatus.SUCCEEDED, RunStatus.NOT_ENOUGH_DATA):
        raise CommandError(_("The run did not succeed."))
    return ended
