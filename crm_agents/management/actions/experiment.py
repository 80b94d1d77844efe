from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.experiment_words import cautions, state, verdict
from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import Agent, Experiment, ExperimentKind, Treatment
from crm_agents.services.experiments.starting import (
    BadExperiment,
    CannotExperiment,
    ExperimentAlreadyRunning,
    ExperimentHasEnded,
    start_experiment,
    stop_experiment,
)

HELP = "show a control group or version B something else, and tell what the agent brings"


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    parser.add_argument(
        "--start", choices=ExperimentKind.values, help="begin one; without it they are listed"
    )
    parser.add_argument("--share", type=float, default=0.1, help="of the customers, 0.01 to 0.5")
    parser.add_argument("--treatment", choices=Treatment.values, default="", help="what the group is shown")
    parser.add_argument("--days", type=int, help="that count; as many as the agent looks ahead")
    parser.add_argument("--stop", type=int, metavar="ID", help="show everybody the same again")
    parser.add_argument("--measure", type=int, metavar="ID", help="measure it now, in this process")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    if sum(options[name] is not None for name in ("start", "stop", "measure")) > 1:
        raise CommandError("Give one of --start, --stop and --measure.")
    try:
        if options["start"]:
            _start(agent, options)
        elif options["stop"] is not None:
            stop_experiment(_of(agent, options["stop"]))
        elif options["measure"] is not None:
            from crm_agents.services.experiments.measuring import measure_experiment  # loads polars

            measure_experiment(_of(agent, options["measure"]).pk)
    except (BadExperiment, CannotExperiment, ExperimentAlreadyRunning, ExperimentHasEnded) as error:
        raise CommandError(str(error)) from error
    found = Experiment.objects.filter(agent=agent).select_related("agent", "version", "rival")
    for experiment in found:
        stdout.write(f"{experiment.pk}\t{experiment}\t{state(experiment)[1]}\n")
        for sentence in (verdict(experiment)[1], *(words for _tone, words in cautions(experiment))):
            stdout.write(f"    {sentence}\n")
    if not found:
        stdout.write(_("No experiment has been started yet, so nobody knows what this agent brings.") + "\n")


def _start(agent: Agent, options: Mapping[str, Any]) -> None:
    start_experiment(
        agent,
        kind=options["start"],
        share=options["share"],
        treatment=options["treatment"],
        horizon_days=options["days"],
    )


def _of(agent: Agent, key: int) -> Experiment:
    found = Experiment.objects.filter(agent=agent, pk=key).select_related("agent").first()
    if found is None:
        raise CommandError(f"{agent} has no experiment {key}.")
    return found
