"""Starting, stopping and resuming sweeps: what a web request may do. `advancing` is the worker's part."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm_agents.models import ACTIVE_STATES, Agent, RunStatus, Sweep, SweepKind, SweepStatus
from crm_agents.recipes import get_recipe
from crm_agents.services import audit
from crm_agents.services.runs import planned_config
from crm_agents.services.tuning.space import Space, combinations, read_space
from crm_agents.services.waking import ask
from crm_data.clock import minute
from handoff.config import BACKBONES
from handoff.errors import HandoffError

PRUNERS = ("median", "hyperband", "none")
MOST_TRIALS = 500
MOST_PARALLEL = 16
# Marks a trial that ended because its sweep was stopped: it is done again when the sweep goes on.
STOPPED_WITH_SWEEP = {"stopped_with_sweep": True}


class SweepAlreadyRunning(Exception):
    """The agent has a sweep that goes on; it is `sweep`."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(
            _("%(agent)s already has a sweep that goes on, started %(at)s. Wait for it or stop it.")
            % {"agent": sweep.agent, "at": minute(sweep.created_at)}
        )
        self.sweep = sweep


def compare_backbones(agent: Agent, *, user: audit.Actor = None, **options: Any) -> Sweep:
    """Start a comparison of every backbone, all else as the agent has it."""
    space = {"backbone": {"type": "choice", "values": list(BACKBONES)}}
    return start_sweep(agent, kind=SweepKind.COMPARISON, space=space, user=user, **options)


def start_sweep(
    agent: Agent,
    *,
    space: Mapping[str, Any],
    kind: SweepKind = SweepKind.SEARCH,
    trials: int = 20,
    parallel: int = 1,
    pruner: str = "median",
    minutes: int | None = None,
    config: Mapping[str, Any] | None = None,
    train_best: bool = False,
    seed: int = 0,
    user: audit.Actor = None,
) -> Sweep:
    """Store a sweep and ask a worker for its first trial; where none can be asked, the sweeper begins it.

    Raises SweepAlreadyRunning, and HandoffError naming a value that cannot be.
    """
    shared = dict(config or {})
    parameters = read_space(space)
    double = sorted(set(shared) & set(parameters))
    if double:
        text = _("%(names)s stands in both space and config; leave it in one of them.")
        raise HandoffError(text % {"names": ", ".join(double)})
    planned_config(agent, shared)
    grid = combinations(parameters) if kind == SweepKind.COMPARISON else []
    for combination in grid or _single_choices(parameters):
        planned_config(agent, {**shared, **combination})
    planned = len(grid) or trials
    _check_number("trials", planned, MOST_TRIALS)
    _check_number("parallel", parallel, MOST_PARALLEL)
    if minutes is not None:
        _check_number("minutes", minutes, 100_000)
    if pruner not in PRUNERS:
        text = _("pruner is %(value)r; choose one of %(known)s.")
        raise HandoffError(text % {"value": pruner, "known": ", ".join(PRUNERS)})
    with transaction.atomic():
        # The agent's row is the turnstile: of two starts at once the second sees the first.
        Agent.objects.select_for_update().get(pk=agent.pk)
        running = agent.sweeps.filter(status=SweepStatus.RUNNING).first()
        if running is not None:
            raise SweepAlreadyRunning(running)
        sweep = Sweep.objects.create(
            agent=agent,
            kind=kind,
            config=shared,
            space=dict(space),
            metric=get_recipe(agent.name).gate.metric,
            planned=planned,
            parallel=parallel,
            pruner="none" if kind == SweepKind.COMPARISON else pruner,
            minutes=minutes,
            train_best=train_best,
            seed=seed,
            started_by=audit.known(user),
        )
        detail = {"kind": str(kind), "space": dict(space), "config": shared, "trials": planned}
        audit.record(agent, "sweep.started", sweep.pk, user=user, detail=detail)
        transaction.on_commit(partial(ask_to_advance, sweep.pk))
    return sweep


def stop_sweep(sweep: Sweep, *, user: audit.Actor = None) -> None:
    """End a sweep's trials and begin no more; finished trials stay. Nothing where it does not go on."""
    with transaction.atomic():
        locked = Sweep.objects.select_for_update().get(pk=sweep.pk)
        sweep.status = locked.status
        if locked.status != SweepStatus.RUNNING:
            return
        sweep.status = SweepStatus.STOPPED
        Sweep.objects.filter(pk=sweep.pk).update(status=sweep.status)
        active = locked.trials.filter(status__in=ACTIVE_STATES)
        active.update(cancel_requested=True, report=STOPPED_WITH_SWEEP)
        # A worker ends what it holds; what nobody holds is ended here.
        waiting = locked.trials.filter(status=RunStatus.QUEUED, cancel_requested=True)
        waiting.update(status=RunStatus.CANCELLED, notice="")
        audit.record(locked.agent, "sweep.stopped", sweep.pk, user=user)


def resume_sweep(sweep: Sweep, *, user: audit.Actor = None) -> None:
    """Go on with a stopped sweep; nothing for any other. Raises SweepAlreadyRunning for another."""
    with transaction.atomic():
        Agent.objects.select_for_update().get(pk=sweep.agent_id)
        locked = Sweep.objects.select_for_update().get(pk=sweep.pk)
        sweep.status = locked.status
        if locked.status != SweepStatus.STOPPED:
            return
        running = Sweep.objects.filter(agent=locked.agent_id, status=SweepStatus.RUNNING).first()
        if running is not None:
            raise SweepAlreadyRunning(running)
        sweep.status = SweepStatus.RUNNING
        Sweep.objects.filter(pk=sweep.pk).update(status=sweep.status)
        audit.record(locked.agent, "sweep.resumed", sweep.pk, user=user)
        transaction.on_commit(partial(ask_to_advance, sweep.pk))


def ask_to_advance(pk: object) -> bool:
    """Ask a worker to look after a sweep; where the queue cannot be reached, the sweeper does."""
    return ask("crm_agents.tasks.advance_sweep", str(pk))


def _single_choices(space: Space) -> list[dict[str, Any]]:
    """Return each choice by itself. Width and heads depend on each other; `read_space` has compared them."""
    together = {"width", "heads"} if {"width", "heads"} <= set(space) else set()
    return [
        {name: value}
        for name, parameter in space.items()
        if name not in together
        for value in parameter.values
    ]


def _check_number(name: str, value: Any, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        text = _("%(name)s is %(value)r; it must be a whole number from 1 to %(most)s.")
        raise HandoffError(text % {"name": name, "value": value, "most": most})
