from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from crm_agents.folders import run_folder
from crm_agents.models import (
    Agent,
    AuditEntry,
    ModelVersion,
    Purpose,
    RunStatus,
    Sweep,
    SweepKind,
    SweepStatus,
    TrainingRun,
)
from crm_agents.recipes import get_recipe
from crm_agents.services.runs import cancel_run
from crm_agents.services.sweeping import sweep as heal
from crm_agents.services.tuning.advancing import advance
from crm_agents.services.tuning.results import best_trial, trials_of
from crm_agents.services.tuning.sweeps import (
    SweepAlreadyRunning,
    compare_backbones,
    resume_sweep,
    start_sweep,
    stop_sweep,
)
from crm_data.models import Snapshot
from handoff.errors import HandoffError
from tests.crm_agents.tuning.conftest import RATES, work

pytestmark = pytest.mark.django_db(transaction=True)

Stub = Callable[..., None]


@pytest.fixture
def ready(agent: Agent, shop: None, woken: list[str], stub: Stub, asked: list[str]) -> Agent:
    """An agent of a small shop, whose trainer is the stub and whose messages are collected."""
    return agent


def found(sweep: Sweep) -> list[tuple[Any, ...]]:
    """Return what a sweep ended in: parameters, state, value and epochs of each trial."""
    return [
        (trial.trial, trial.config, trial.status, trial.value, trial.reached) for trial in trials_of(sweep)
    ]


def test_a_started_sweep_is_stored_audited_and_handed_to_a_worker(ready: Agent, asked: list[str]) -> None:
    user = User.objects.create_user("ann")
    sweep = start_sweep(ready, space=RATES, trials=3, config={"epochs": 2}, user=user)

    assert asked == [f"crm_agents.tasks.advance_sweep {sweep.pk}"]
    assert (sweep.status, sweep.metric, sweep.planned, sweep.started_by) == ("running", "ndcg@10", 3, user)
    assert TrainingRun.objects.count() == 0
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.user) == ("sweep.started", str(sweep.pk), user)
    assert entry.detail == {"kind": "search", "space": RATES, "config": {"epochs": 2}, "trials": 3}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials is 0; it must be a whole number from 1 to 500."),
        ({"parallel": 99}, "parallel is 99; it must be a whole number from 1 to 16."),
        ({"minutes": 0}, "minutes is 0; it must be"),
        ({"pruner": "axe"}, "pruner is 'axe'; choose one of median, hyperband, none."),
        ({"config": {"learning_rate": 0.1}}, "learning_rate stands in both space and config"),
        ({"config": {"epohcs": 2}}, "Unknown setting epohcs"),
        ({"config": {"start": "/etc/passwd"}}, "start is '/etc/passwd'; there is no such version."),
        ({"kind": SweepKind.COMPARISON}, "space.learning_rate is a range; a comparison needs a list"),
    ],
)
def test_what_cannot_be_is_refused(ready: Agent, options: dict[str, Any], words: str) -> None:
    with pytest.raises(HandoffError) as refusal:
        start_sweep(ready, space=RATES, **options)
    assert words in str(refusal.value)
    assert (Sweep.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_second_sweep_of_an_agent_is_refused_and_named(ready: Agent, asked: list[str]) -> None:
    first = compare_backbones(ready)
    with pytest.raises(SweepAlreadyRunning) as refusal:
        compare_backbones(ready)

    assert refusal.value.sweep == first
    assert str(refusal.value).startswith("recommender already has a sweep that goes on, started ")
    assert (Sweep.objects.count(), len(asked)) == (1, 1)


def test_a_comparison_tries_every_backbone_on_one_snapshot(ready: Agent) -> None:
    sweep = compare_backbones(ready)
    trials = list(work(sweep))

    assert [trial.config for trial in trials] == [
        {"backbone": name} for name in ("mf", "cnn", "rnn", "transformer")
    ]
    assert {(trial.status, trial.purpose) for trial in trials} == {(RunStatus.SUCCEEDED, Purpose.TRIAL)}
    assert [trial.snapshot for trial in trials] == [Snapshot.objects.get()] * 4
    sweep.refresh_from_db()
    assert (sweep.status, sweep.error, sweep.snapshot) == ("succeeded", "", Snapshot.objects.get())
    assert (ModelVersion.objects.count(), sweep.trials.count()) == (0, 4)
    assert not any(run_folder(trial).exists() for trial in trials)


def test_a_search_begins_with_what_the_agent_has_and_keeps_to_its_space(ready: Agent) -> None:
    sweep = start_sweep(ready, space=RATES, trials=6, pruner="none", config={"epochs": 3})
    trials = list(work(sweep))

    rates = [trial.config["learning_rate"] for trial in trials]
    assert rates[0] == get_recipe("recommender").defaults()["learning_rate"]
    assert len(set(rates)) == 6
    assert all(1e-4 <= rate <= 0.1 for rate in rates)
    assert {trial.config["epochs"] for trial in trials} == {3}
    steps, values = zip(*trials[0].reached, strict=True)
    assert (steps, list(values)) == ((1, 2, 3), sorted(set(values)))  # the stub's models learn evenly
    assert all(trial.value == trial.reached[-1][1] for trial in trials)
    sweep.refresh_from_db()
    assert sweep.importance == {"learning_rate": 1.0}


def test_the_same_search_again_gives_the_same_trials(ready: Agent) -> None:
    first = start_sweep(ready, space=RATES, trials=4, seed=7)
    assert len(list(work(first))) == 4
    second = start_sweep(ready, space=RATES, trials=4, seed=7)
    assert len(list(work(second))) == 4
    other = start_sweep(ready, space=RATES, trials=4, seed=8)
    assert len(list(work(other))) == 4

    assert found(first) == found(second)
    assert found(first) != found(other)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_hopeless_trial_is_stopped_early(ready: Agent, stub: Stub, pruner: str) -> None:
    stub(epochs=9)
    sweep = start_sweep(ready, space=RATES, trials=9, pruner=pruner, config={"epochs": 9})
    trials = list(work(sweep))

    pruned = [trial for trial in trials if trial.status == RunStatus.PRUNED]
    assert pruned
    best = best_trial(trials)
    assert best is not None
    for trial in pruned:
        assert 1 <= len(trial.reached) < 9
        assert trial.value == max(value for _, value in trial.reached)
        assert (best.value or 0) > (trial.value or 0)
    sweep.refresh_from_db()
    assert (sweep.status, sweep.trials.count()) == (SweepStatus.SUCCEEDED, 9)


def test_parallel_trials_wait_for_the_one_that_builds_the_snapshot(ready: Agent, woken: list[str]) -> None:
    sweep = start_sweep(ready, space=RATES, trials=5, parallel=3)
    advance(sweep.pk)
    assert sweep.trials.count() == 1

    done = next(work(sweep))
    assert done.status == RunStatus.SUCCEEDED
    waiting = sweep.trials.filter(status=RunStatus.QUEUED)
    assert waiting.count() == 3
    assert {trial.snapshot for trial in waiting} == {Snapshot.objects.get()}
    assert len(woken) == 4
    advance(sweep.pk)
    assert (sweep.trials.count(), len(woken)) == (4, 4)


def test_a_stopped_sweep_is_resumed_and_ends_as_an_undisturbed_one(ready: Agent) -> None:
    undisturbed = start_sweep(ready, space=RATES, trials=5)
    list(work(undisturbed))
    sweep = start_sweep(ready, space=RATES, trials=5)
    list(zip(range(2), work(sweep), strict=False))
    kept = found(sweep)[:2]
    stop_sweep(sweep)

    assert sweep.status == SweepStatus.STOPPED
    assert [trial.status for trial in trials_of(sweep)][2:] == [RunStatus.CANCELLED]
    heal()
    advance(sweep.pk)
    assert sweep.trials.count() == 3
    resume_sweep(sweep)
    list(work(sweep))

    sweep.refresh_from_db()
    assert sweep.status == SweepStatus.SUCCEEDED
    assert found(sweep)[:2] == kept
    assert found(sweep) == found(undisturbed)
    actions = AuditEntry.objects.filter(subject=str(sweep.pk)).order_by("id")
    assert [entry.action for entry in actions] == ["sweep.started", "sweep.stopped", "sweep.resumed"]


def test_stopping_or_resuming_what_has_ended_changes_nothing(ready: Agent) -> None:
    sweep = compare_backbones(ready)
    list(work(sweep))
    before = AuditEntry.objects.count()
    stop_sweep(sweep)
    resume_sweep(sweep)

    assert sweep.status == SweepStatus.SUCCEEDED
    assert AuditEntry.objects.count() == before


def test_a_trial_that_a_person_cancels_is_left_out_and_the_next_one_begins(ready: Agent) -> None:
    sweep = compare_backbones(ready)
    advance(sweep.pk)
    cancel_run(sweep.trials.get())
    rest = list(work(sweep))

    assert [trial.trial for trial in rest] == [1, 2, 3]
    sweep.refresh_from_db()
    assert sweep.status == SweepStatus.SUCCEEDED
    assert sweep.trials.get(trial=0).status == RunStatus.CANCELLED


def test_three_failures_and_no_success_end_a_sweep(ready: Agent, stub: Stub) -> None:
    stub(outcome="failed")
    sweep = start_sweep(ready, space=RATES, trials=9)
    assert len(list(work(sweep))) == 3

    sweep.refresh_from_db()
    assert (sweep.status, sweep.error) == (SweepStatus.FAILED, "The stub failed.")


def test_missing_data_ends_a_sweep_at_once(ready: Agent, stub: Stub) -> None:
    stub(outcome="not_enough_data")
    sweep = start_sweep(ready, space=RATES, trials=9, parallel=2)
    trials = list(work(sweep))

    sweep.refresh_from_db()
    assert (sweep.status, sweep.error) == (SweepStatus.FAILED, "")
    assert trials[0].missing == [{"code": "no_events"}]


def test_settings_that_do_not_go_together_are_a_failed_trial(ready: Agent) -> None:
    space = {"width": {"type": "int", "low": 33, "high": 66, "step": 33}}
    sweep = start_sweep(ready, space=space, trials=6, pruner="none")
    list(work(sweep))

    bad = sweep.trials.filter(status=RunStatus.FAILED)
    assert {trial.error for trial in bad} == {"width 33 must be a multiple of heads 2."}
    sweep.refresh_from_db()
    assert (sweep.status, sweep.trials.count()) == (SweepStatus.SUCCEEDED, 6)


def test_an_agent_whose_settings_became_bad_ends_the_sweep(ready: Agent) -> None:
    sweep = start_sweep(ready, space=RATES, trials=3)
    Agent.objects.update(config={"heads": 3})
    advance(sweep.pk)

    sweep.refresh_from_db()
    assert (sweep.status, sweep.error) == ("failed", "width 64 must be a multiple of heads 3.")
    assert sweep.trials.count() == 0


def test_no_trial_begins_after_the_minutes_are_over(ready: Agent) -> None:
    sweep = start_sweep(ready, space=RATES, trials=9, minutes=5)
    next(work(sweep))
    sweep.trials.filter(status=RunStatus.QUEUED).delete()
    Sweep.objects.update(created_at=sweep.created_at - timedelta(minutes=6))
    advance(sweep.pk)

    sweep.refresh_from_db()
    assert (sweep.status, sweep.trials.count()) == (SweepStatus.SUCCEEDED, 1)


def test_the_best_is_trained_once(ready: Agent) -> None:
    sweep = compare_backbones(ready, train_best=True)
    list(work(sweep))
    advance(sweep.pk)

    best = best_trial(trials_of(sweep))
    assert best is not None
    run = TrainingRun.objects.get(purpose=Purpose.TRAIN)
    assert (run.status, run.config, run.sweep) == (RunStatus.QUEUED, best.config, None)


def test_the_sweeper_goes_on_where_a_worker_died_between_two_trials(ready: Agent, woken: list[str]) -> None:
    sweep = compare_backbones(ready)
    heal()

    trial = sweep.trials.get()
    assert (trial.trial, woken) == (0, [str(trial.pk)])


def test_a_killed_trainer_is_tried_again_and_fails_only_after_the_third_time(
    ready: Agent, stub: Stub
) -> None:
    stub(kill=True)
    sweep = compare_backbones(ready)
    advance(sweep.pk)
    first = sweep.trials.get()
    attempts = list(work(sweep, most=3))

    assert [(trial.pk, trial.status, trial.attempts) for trial in attempts] == [
        (first.pk, RunStatus.QUEUED, 1),
        (first.pk, RunStatus.QUEUED, 2),
        (first.pk, RunStatus.FAILED, 3),
    ]
    assert sweep.trials.count() == 2
