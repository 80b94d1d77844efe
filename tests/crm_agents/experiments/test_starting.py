from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from crm_agents.models import Agent, AuditEntry, Experiment, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.services.experiments import starting
from crm_agents.services.experiments.starting import (
    BadExperiment,
    CannotExperiment,
    ExperimentAlreadyRunning,
    ExperimentHasEnded,
    start_experiment,
    stop_experiment,
)
from tests.crm_agents.experiments.support import open_shop
from tests.published import publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the experiments that a worker is asked to measure."""
    found: list[str] = []
    monkeypatch.setattr(starting, "ask", lambda task, key: found.append(key))
    return found


@pytest.fixture
def agent() -> Agent:
    return open_shop(3)


def shadow(agent: Agent, *, status: str = RunStatus.SUCCEEDED) -> ModelVersion:
    """Give the agent a version in the shadow, whose scoring has that status."""
    live = agent.live_version
    assert live is not None
    run = TrainingRun.objects.create(agent=agent, status=RunStatus.SUCCEEDED, snapshot=live.snapshot)
    version = ModelVersion.objects.create(
        agent=agent,
        number=live.number + 1,
        run=run,
        artifact="artifacts/two",
        artifact_sha256="0" * 64,
        snapshot=live.snapshot,
        verdict="passed",
    )
    assert agent.live_scoring is not None
    ScoringRun.objects.create(
        agent=agent, version=version, as_of=agent.live_scoring.as_of, status=status, shadow=True
    )
    agent.shadow_version = version
    agent.save()
    return version


def test_a_control_group_begins_with_the_defaults(
    agent: Agent, manager: User, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        begun = start_experiment(agent, user=manager)
    begun.refresh_from_db()
    shown = (begun.kind, begun.share, begun.treatment, begun.horizon_days)
    assert shown == ("control", 0.1, "popularity", 28)
    assert (begun.version, begun.scoring, begun.rival) == (agent.live_version, agent.live_scoring, None)
    assert (begun.started_by, len(begun.salt), begun.is_running) == (manager, 32, True)
    assert asked == [str(begun.pk)]
    entry = AuditEntry.objects.get(action="experiment.started")
    assert (entry.user, entry.detail) == (
        manager,
        {"experiment": begun.pk, "kind": "control", "share": 0.1, "days": 28},
    )


def test_another_agents_control_group_is_shown_nothing() -> None:
    agent = publish("churn", {"A": (0.5, {"reasons": []})})
    assert start_experiment(agent).treatment == "nothing"
    with pytest.raises(BadExperiment, match="cannot be shown “popularity”; take nothing"):
        start_experiment(agent, treatment="popularity")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"share": 0.005}, "share"),
        ({"share": 0.51}, "share"),
        ({"share": float("nan")}, "share"),
        ({"kind": "placebo"}, "kind"),
        ({"treatment": "tea"}, "treatment"),
        ({"kind": "ab", "treatment": "nothing"}, "treatment"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"horizon_days": 731}, "horizon_days"),
    ],
)
def test_impossible_values_are_refused_and_change_nothing(
    agent: Agent, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadExperiment) as caught:
        start_experiment(agent, **values)
    assert (caught.value.field, str(caught.value.value)) == (field, str(values[field]))
    assert not Experiment.objects.exists()
    assert not AuditEntry.objects.exists()


def test_nothing_live_is_nothing_to_try_out() -> None:
    with pytest.raises(CannotExperiment, match="has nothing live"):
        start_experiment(Agent.objects.create(name="recommender"))


def test_one_of_each_kind_goes_on_at_a_time(agent: Agent) -> None:
    version = shadow(agent)
    first = start_experiment(agent)
    second = start_experiment(agent, kind="ab", share=0.5)
    assert (second.treatment, second.rival) == ("", version)
    with pytest.raises(ExperimentAlreadyRunning, match="Stop it first") as caught:
        start_experiment(agent)
    assert caught.value.experiment == first
    stop_experiment(first)
    assert start_experiment(agent).salt != first.salt


@pytest.mark.parametrize("status", [RunStatus.SCORING, RunStatus.FAILED])
def test_two_versions_need_complete_scores_of_the_shadow(agent: Agent, status: str) -> None:
    with pytest.raises(CannotExperiment, match="no version in the shadow with complete scores"):
        start_experiment(agent, kind="ab")
    shadow(agent, status=status)
    with pytest.raises(CannotExperiment, match="no version in the shadow with complete scores"):
        start_experiment(agent, kind="ab")


def test_it_is_stopped_once(agent: Agent, manager: User) -> None:
    begun = start_experiment(agent)
    ended = stop_experiment(begun, user=manager)
    assert (ended.ended_for, ended.ended_by, ended.is_running) == ("stopped", manager, False)
    with pytest.raises(ExperimentHasEnded, match="already"):
        stop_experiment(begun)
    assert AuditEntry.objects.filter(action="experiment.ended").count() == 1


def test_the_command_starts_lists_measures_and_stops(agent: Agent, capsys: Any) -> None:
    call_command("agent", "experiment", "recommender")
    assert "nobody knows what this agent brings" in capsys.readouterr().out
    call_command("agent", "experiment", "recommender", "--start", "control", "--share", "0.2", "--days", "14")
    begun = Experiment.objects.get()
    assert (begun.share, begun.horizon_days) == (0.2, 14)
    assert "It has not been measured yet" in capsys.readouterr().out
    call_command("agent", "experiment", "recommender", "--measure", str(begun.pk))
    assert "Too few customers have bought since" in capsys.readouterr().out
    call_command("agent", "experiment", "recommender", "--stop", str(begun.pk))
    assert "stopped by a person" in capsys.readouterr().out
    for arguments, message in (
        (("--stop", str(begun.pk)), "already"),
        (("--stop", "0"), "has no experiment 0"),
        (("--start", "control", "--share", "2"), "A share of 2.0 is not possible"),
        (("--start", "control", "--stop", "1"), "Give one of"),
    ):
        with pytest.raises(CommandError, match=message):
            call_command("agent", "experiment", "recommender", *arguments)
