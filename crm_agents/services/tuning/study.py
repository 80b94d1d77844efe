"""Optuna over the trials' rows: the study is rebuilt from them each time, so the rows are its only store.

Worker only: Optuna is imported here, and nothing that a web process imports may import this.
"""

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from crm_agents.models import RunStatus, Sweep, TrainingRun
from crm_agents.services.tuning.space import Parameter, Space, read_space

optuna.logging.set_verbosity(optuna.logging.WARNING)
RANDOM_TRIALS = 8  # at most so many, and a third of all, before the sampler follows what was found
FEWEST = 4  # trials, for a word on what mattered
BEFORE_PRUNING = 3  # finished trials with which a new one can be compared
Reached = list[list[float]]  # [epoch, value] pairs


def suggest(sweep: Sweep, trials: Sequence[TrainingRun], number: int) -> dict[str, Any]:
    """Return the parameters of trial `number`, given the rows of the trials before it.

    The same sweep and rows give the same answer: the sampler's seed comes of the sweep's and the number.
    """
    study = rebuilt(sweep, trials, seed=_seed(sweep.seed, number))
    return dict(study.ask(distributions(read_space(sweep.space))).params)


def hopeless(sweep: Sweep, others: Sequence[TrainingRun], trial: TrainingRun, reached: Reached) -> int | None:
    """Return the first epoch of `reached` at which the pruner would have ended the trial; None for none."""
    if sweep.pruner == "none" or not reached:
        return None
    study = rebuilt(sweep, [other for other in others if (other.trial or 0) < (trial.trial or 0)])
    running = _begun(study, sweep, trial)
    # Trials that began later are known to the pruner too.
    _add(study, sweep, [other for other in others if (other.trial or 0) > (trial.trial or 0)])
    for epoch, value in reached:
        running.report(value, int(epoch))
        if running.should_prune():
            return int(epoch)
    return None


def importance(sweep: Sweep, trials: Sequence[TrainingRun]) -> dict[str, float]:
    """Return each parameter's share in what was reached, the largest first; {} where too few tell.

    Trials that were ended early count with what they had reached: they were ended for lying behind others of
    the same epoch, and to leave them out would leave out what does harm.
    """
    study = rebuilt(sweep, [])
    measured = [trial for trial in trials if trial.value is not None and not trial.is_active]
    for trial in measured:
        study.tell(_begun(study, sweep, trial), trial.value)
    if len(measured) < FEWEST or len({trial.value for trial in measured}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (RuntimeError, ValueError):  # every parameter had one value, for instance
        return {}
    return {name: float(share) for name, share in found.items()}


def rebuilt(sweep: Sweep, trials: Sequence[TrainingRun], *, seed: int = 0) -> optuna.Study:
    """Return a study in memory that knows every trial, in the order of their numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed,
            constant_liar=True,  # trials at work count as poor, so that others keep away from them
            n_startup_trials=max(2, min(RANDOM_TRIALS, sweep.planned // 3)),
        )
    # Hyperband draws its brackets by the study's name: a fixed one, for the same sweep again.
    study = optuna.create_study(
        direction="maximize", sampler=sampler, pruner=pruner_of(sweep), study_name="sweep"
    )
    _add(study, sweep, trials)
    return study


def pruner_of(sweep: Sweep) -> optuna.pruners.BasePruner:
    if sweep.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING, n_warmup_steps=1)
    if sweep.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=max(3, int(sweep.config.get("epochs", 9)))
        )
    return optuna.pruners.NopPruner()


def distributions(space: Space) -> dict[str, BaseDistribution]:
    return {name: _distribution(parameter) for name, parameter in space.items()}


def _distribution(parameter: Parameter) -> BaseDistribution:
    if parameter.type == "choice":
        return CategoricalDistribution(parameter.values)
    if parameter.type == "int":
        return IntDistribution(
            int(parameter.low), int(parameter.high), log=parameter.log, step=parameter.step
        )
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _add(study: optuna.Study, sweep: Sweep, trials: Sequence[TrainingRun]) -> None:
    for row in trials:
        trial = _begun(study, sweep, row)
        for epoch, value in row.reached:
            trial.report(value, int(epoch))
            if sweep.pruner == "hyperband":
                trial.should_prune()  # its rungs remember what was reached
        if row.is_active:
            continue
        if row.status == RunStatus.SUCCEEDED and row.value is not None:
            study.tell(trial, row.value)
        elif row.status == RunStatus.PRUNED:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, state=TrialState.FAIL)


def _begun(study: optuna.Study, sweep: Sweep, row: TrainingRun) -> optuna.Trial:
    """Put a row's trial into the study, with the parameters that it has."""
    space = read_space(sweep.space)
    study.enqueue_trial({name: row.config[name] for name in space if name in row.config})
    return study.ask(distributions(space))


def _seed(sweep_seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{sweep_seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
