import json
import time
from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.management.settings import settings_arguments, settings_of, text_of
from crm_agents.models import Agent, Sweep, SweepKind, SweepStatus
from crm_agents.services.runs import planned_config
from crm_agents.services.tuning.results import best_trial, parameters_of, trials_of
from crm_agents.services.tuning.space import default_space
from crm_agents.services.tuning.sweeps import (
    PRUNERS,
    SweepAlreadyRunning,
    resume_sweep,
    start_sweep,
    stop_sweep,
)
from crm_agents.settings_file import read_mapping

HELP = "search settings, or compare backbones, by trials that never see the test window"
POLL_SECONDS = 1.0


def arguments(parser: CommandParser) -> None:
    agent_arguments(parser)
    settings_arguments(parser)
    parser.add_argument(
        "--space", metavar="FILE", help="search space as YAML; without it one around the agent's"
    )
    parser.add_argument("--compare", metavar="NAME=A,B,…", help="try these values instead: backbone=mf,cnn")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=1, help="trials at the same time")
    parser.add_argument("--pruner", default="median", help=", ".join(PRUNERS))
    parser.add_argument("--minutes", type=int, help="no trial begins later")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-best", action="store_true", help="then start a full run with the best")
    parser.add_argument("--wait", action="store_true", help="show each trial as it ends")
    parser.add_argument("--stop", action="store_true", help="stop the sweep that goes on")
    parser.add_argument("--resume", action="store_true", help="go on with the one stopped last")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    if options["stop"]:
        stop_sweep(_newest(agent, SweepStatus.RUNNING))
        stdout.write(_("The sweep is being stopped; its finished trials are kept.") + "\n")
        return
    try:
        sweep = _resumed(agent) if options["resume"] else _started(agent, options)
    except SweepAlreadyRunning as error:
        raise CommandError(str(error)) from error
    stdout.write(
        _("Sweep %(sweep)s goes on: %(trials)s trials.") % {"sweep": sweep.pk, "trials": sweep.planned}
    )
    stdout.write("\n")
    if options["wait"]:
        _follow(sweep, stdout)


def _started(agent: Agent, options: Mapping[str, Any]) -> Sweep:
    shared = settings_of(agent, options)
    if options["compare"]:
        kind, space = SweepKind.COMPARISON, _compared(options["compare"])
    else:
        kind = SweepKind.SEARCH
        space = read_mapping(text_of(options["space"])) if options["space"] else _around(agent, shared)
    names = ("trials", "parallel", "pruner", "minutes", "seed", "train_best")
    chosen = {name: options[name] for name in names}
    return start_sweep(agent, kind=kind, space=space, config=shared, **chosen)


def _around(agent: Agent, shared: Mapping[str, Any]) -> dict[str, Any]:
    found = default_space(planned_config(agent, shared))
    return {name: entry for name, entry in found.items() if name not in shared}


def _compared(text: str) -> dict[str, Any]:
    """Read "backbone=mf,cnn"; each value is JSON where it can be."""
    name, _sign, values = text.partition("=")
    return {name: {"type": "choice", "values": [_value(value) for value in values.split(",") if value]}}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _resumed(agent: Agent) -> Sweep:
    sweep = _newest(agent, SweepStatus.STOPPED)
    resume_sweep(sweep)
    return sweep


def _newest(agent: Agent, status: SweepStatus) -> Sweep:
    sweep = agent.sweeps.filter(status=status).first()
    if sweep is None:
        text = _("%(agent)s has no sweep in the state “%(status)s”.")
        raise CommandError(text % {"agent": agent, "status": status.label})
    return sweep


def _follow(sweep: Sweep, stdout: IO[str]) -> None:
    """Write a line for each trial that ends, then the best. Raises CommandError where the sweep failed."""
    told: set[Any] = set()
    while True:
        sweep.refresh_from_db()
        trials = trials_of(sweep)
        for trial in trials:
            if not trial.is_active and trial.pk not in told:
                told.add(trial.pk)
                value = "-" if trial.value is None else f"{trial.value:.4f}"
                words = json.dumps(parameters_of(sweep, trial))
                stdout.write(f"{trial.trial}\t{trial.status}\t{sweep.metric} {value}\t{words}\n")
        if sweep.status != SweepStatus.RUNNING:
            break
        time.sleep(POLL_SECONDS)
    best = best_trial(trials)
    if sweep.status == SweepStatus.FAILED or best is None:
        raise CommandError(_("The sweep did not succeed. %(error)s") % {"error": sweep.error})
    stdout.write(_("Best: trial %(number)s") % {"number": best.trial} + f"\t{json.dumps(best.config)}\n")
