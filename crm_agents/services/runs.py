"""Starting and cancelling runs: what a web request may do. `execution` is the worker's part."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.models import ACTIVE_STATES, Agent, Purpose, RunStatus, TrainingRun
from crm_agents.recipes import get_recipe, training_config
from crm_agents.services import audit
from crm_agents.services.starting import start_folder
from crm_agents.services.waking import ask, wake
from crm_data.clock import minute
from crm_data.conf import setting
from handoff.config import TrainingConfig, check_types
from handoff.errors import HandoffError

RESERVED = ("agent", "task", "dataset")


class RunAlreadyActive(Exception):
    """The agent has a run of the same purpose that is not finished; it is `run`."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__(
            _("%(agent)s already has an active run, started %(at)s. Wait for it or cancel it.")
            % {"agent": run.agent, "at": minute(run.created_at)}
        )
        self.run = run


def start_run(
    agent: Agent,
    *,
    user: audit.Actor = None,
    config: Mapping[str, Any] | None = None,
    publish: bool = True,
    purpose: Purpose = Purpose.TRAIN,
    started_for: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """Store a queued run and wake a worker up once the row is committed. Trials: see services/tuning.

    `started_for` are the facts of why it starts without a person, see services/watching/schedule.

    A queue that cannot be reached is noted in `run.notice`; the sweeper wakes the run later. Raises
    RunAlreadyActive, and HandoffError for a bad configuration.
    """
    overrides = dict(config or {})
    planned_config(agent, overrides)
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                agent=agent,
                purpose=purpose,
                config=overrides,
                publish=publish and purpose == Purpose.TRAIN,
                started_by=audit.known(user),
                started_for=dict(started_for or {}),
            )
            other: dict[str, Any] = {} if purpose == Purpose.TRAIN else {"purpose": purpose.value}
            if started_for:
                other["started_for"] = dict(started_for)
            audit.record(agent, "run.started", run.pk, user=user, detail={"config": overrides, **other})
            wake([run])
    except IntegrityError as error:
        active = active_run(agent, purpose)
        if active is None:
            raise
        raise RunAlreadyActive(active) from error
    return run


def active_run(agent: Agent, purpose: Purpose = Purpose.TRAIN) -> TrainingRun | None:
    """Return the agent's unfinished run of a purpose that allows one at a time."""
    return agent.runs.filter(purpose=purpose, status__in=ACTIVE_STATES).first()


def cancel_run(run: TrainingRun, *, user: audit.Actor = None) -> None:
    """End a run: a queued one at once, a running one within seconds; a finished one stays as it is."""
    mine = TrainingRun.objects.filter(pk=run.pk)
    with transaction.atomic():
        changed = mine.filter(status=RunStatus.QUEUED).update(
            status=RunStatus.CANCELLED, cancel_requested=True, finished_at=timezone.now(), notice=""
        ) or mine.filter(status__in=ACTIVE_STATES, cancel_requested=False).update(cancel_requested=True)
        if changed:
            if run.sweep_id:
                transaction.on_commit(partial(ask, "crm_agents.tasks.advance_sweep", str(run.sweep_id)))
            audit.record(run.agent, "run.cancelled", run.pk, user=user)


def planned_config(agent: Agent, overrides: Mapping[str, Any], dataset: Path | str = "") -> TrainingConfig:
    """Return the configuration that a run would have: recipe, then agent, then run.

    Raises HandoffError naming a value that cannot be.
    """
    reserved = sorted({*agent.config, *overrides} & set(RESERVED))
    if reserved:
        text = _("%(names)s is set by the agent itself and cannot be overridden.")
        raise HandoffError(text % {"names": ", ".join(reserved)})
    for layer in (agent.config, overrides):
        check_types(TrainingConfig, layer)
    recipe = get_recipe(agent.name)
    values = {"threads": setting("THREADS"), **recipe.defaults(), **agent.config, **overrides}
    values["baselines"] = list(dict.fromkeys([*values.get("baselines", ()), *recipe.gate.baselines]))
    values["start"] = start_folder(agent, str(values.get("start", "")))
    return training_config(recipe, **values, dataset=str(dataset))
