from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from crm_agents.models import Agent, AuditEntry, RunStatus, TrainingRun
from crm_agents.services.runs import RunAlreadyActive, cancel_run, planned_config, start_run
from handoff.errors import HandoffError

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_started_run_is_queued_audited_and_woken(agent: Agent, woken: list[str]) -> None:
    user = User.objects.create_user("ann")
    run = start_run(agent, user=user, config={"epochs": 2}, publish=False)

    run.refresh_from_db()
    assert (run.status, run.started_by, run.config, run.publish) == ("queued", user, {"epochs": 2}, False)
    assert woken == [str(run.pk)]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.user, entry.agent) == ("run.started", str(run.pk), user, agent)
    assert entry.detail == {"config": {"epochs": 2}}


def test_nothing_is_sent_for_a_run_that_is_rolled_back(agent: Agent, woken: list[str]) -> None:
    with transaction.atomic():
        start_run(agent)
        assert woken == []
        transaction.set_rollback(True)

    assert woken == []
    assert TrainingRun.objects.count() == 0


def test_a_second_run_of_an_agent_is_refused_and_named(agent: Agent, woken: list[str]) -> None:
    first = start_run(agent)
    with pytest.raises(RunAlreadyActive) as refusal:
        start_run(agent)

    assert refusal.value.run == first
    assert str(refusal.value).startswith("recommender already has an active run, started ")
    assert TrainingRun.objects.count() == 1
    assert AuditEntry.objects.count() == 1
    assert woken == [str(first.pk)]


def test_racing_starts_give_one_run(agent: Agent, woken: list[str]) -> None:
    def attempt(_: int) -> str:
        try:
            start_run(agent)
        except RunAlreadyActive:
            return "refused"
        finally:
            connection.close()
        return "started"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(attempt, range(6)))

    assert sorted(answers) == ["refused"] * 5 + ["started"]
    assert TrainingRun.objects.count() == 1
    assert len(woken) == 1


def test_a_finished_run_makes_room_for_the_next(agent: Agent, woken: list[str]) -> None:
    TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED)

    assert start_run(agent).status == RunStatus.QUEUED


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"epohcs": 2}, "Unknown setting epohcs"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1 and at most 1000."),
        ({"epochs": "two"}, "wrong type"),
        ({"dataset": "/etc"}, "dataset is set by the agent itself"),
    ],
)
def test_a_bad_configuration_stores_nothing(
    agent: Agent, woken: list[str], config: dict[str, Any], words: str
) -> None:
    with pytest.raises(HandoffError, match=words):
        start_run(agent, config=config)

    assert TrainingRun.objects.count() == 0
    assert AuditEntry.objects.count() == 0
    assert woken == []


def test_the_run_overrides_the_agent_and_the_agent_the_recipe(agent: Agent, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "THREADS": 3}
    agent.config = {"epochs": 9, "width": 32}
    config = planned_config(agent, {"epochs": 2}, "folder")

    assert (config.agent, config.task, config.dataset) == ("recommender", "next_product", "folder")
    assert (config.epochs, config.width, config.threads) == (2, 32, 3)
    assert config.baselines == ("personal_top", "popularity", "item_knn")


def test_the_gates_baselines_are_always_evaluated(agent: Agent) -> None:
    assert planned_config(agent, {"baselines": []}).baselines == ("personal_top", "item_knn", "popularity")


def test_a_queued_run_is_cancelled_at_once(agent: Agent, woken: list[str]) -> None:
    run = start_run(agent)
    cancel_run(run)

    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert run.finished_at is not None
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["run.started", "run.cancelled"]


def test_a_running_run_is_asked_to_end(agent: Agent) -> None:
    run = TrainingRun.objects.create(agent=agent, status=RunStatus.TRAINING)
    cancel_run(run)
    cancel_run(run)

    run.refresh_from_db()
    assert (run.status, run.cancel_requested) == (RunStatus.TRAINING, True)
    assert AuditEntry.objects.count() == 1


def test_a_finished_run_cannot_be_cancelled(agent: Agent) -> None:
    run = TrainingRun.objects.create(agent=agent, status=RunStatus.SUCCEEDED)
    cancel_run(run)

    run.refresh_from_db()
    assert (run.status, run.cancel_requested) == (RunStatus.SUCCEEDED, False)
    assert AuditEntry.objects.count() == 0
