import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from crm_agents import tasks
from crm_agents.alerts import started_for_sentence
from crm_agents.folders import kept_folder
from crm_agents.models import Agent, Alert, AlertKind, AuditEntry, Purpose, RunStatus, ScoringRun, TrainingRun
from crm_agents.services.execution import execute_run
from crm_agents.services.watching import keeping_watch
from crm_agents.services.watching.alerting import check_alerts
from crm_agents.services.watching.alone import alone
from crm_agents.services.watching.schedule import change_schedule
from crm_data.conf import root
from crm_data.models import Snapshot
from tests.crm_agents.watching.support import Stub, go_live, score

pytestmark = pytest.mark.django_db(transaction=True)

START = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def live(clock: Any, agent: Agent, shop: None, woken: list[str], stub: Stub) -> Agent:
    """The recommender, live since noon of the first of July."""
    go_live(agent)
    return agent


def after(clock: Any, **span: float) -> None:
    """Let a span of time pass since the start, then make a round."""
    clock.move_to(START + dt.timedelta(**span))
    tasks.keep_watch()


def scorings() -> int:
    return ScoringRun.objects.count()


def trainings() -> int:
    return TrainingRun.objects.filter(purpose=Purpose.TRAIN).count()


def test_without_a_schedule_the_clock_starts_nothing(live: Agent, clock: Any) -> None:
    after(clock, days=20)

    assert (scorings(), trainings(), Snapshot.objects.count()) == (1, 1, 1)


def test_scores_are_made_when_their_turn_has_come(live: Agent, clock: Any) -> None:
    change_schedule(live, {"score_every_hours": 6})
    after(clock, hours=5.9)
    assert scorings() == 1
    after(clock, hours=6)
    assert scorings() == 2
    newest = ScoringRun.objects.order_by("created_at").last()
    assert newest is not None
    assert newest.snapshot == Snapshot.objects.order_by("-id").first()  # of new rows
    after(clock, hours=7)
    assert scorings() == 2


def test_turns_missed_while_everything_was_down_are_made_up_for_once(live: Agent, clock: Any) -> None:
    change_schedule(live, {"score_every_hours": 1, "train_every_days": 2})
    after(clock, days=30)
    assert (scorings(), trainings()) == (2, 2)
    score(ScoringRun.objects.get(status=RunStatus.QUEUED))
    after(clock, days=30, minutes=5)
    assert (scorings(), trainings()) == (2, 2)


def test_a_run_is_started_when_its_day_has_come(live: Agent, clock: Any) -> None:
    change_schedule(live, {"train_every_days": 7})
    after(clock, days=6.9)
    assert trainings() == 1
    after(clock, days=7)

    run = TrainingRun.objects.order_by("created_at").last()
    assert run is not None
    assert (trainings(), run.started_by, run.publish) == (2, None, True)
    assert started_for_sentence(run.started_for) == "Started by the agent's schedule: every 7 days."
    entry = AuditEntry.objects.filter(action="run.started").order_by("-id")[0]
    assert entry.detail["started_for"] == {"code": "schedule", "days": 7}


def test_no_run_is_started_while_one_is_at_work(live: Agent, clock: Any) -> None:
    change_schedule(live, {"train_every_days": 7})
    after(clock, days=7)
    after(clock, days=15)

    assert trainings() == 2


def test_runs_for_other_purposes_do_not_count(live: Agent, clock: Any) -> None:
    change_schedule(live, {"train_every_days": 7})
    clock.move_to(START + dt.timedelta(days=6))
    TrainingRun.objects.create(agent=live, purpose=Purpose.INSPECT, status=RunStatus.SUCCEEDED)
    after(clock, days=7)

    assert trainings() == 2


def test_an_alert_trains_anew_at_most_once_in_a_while_and_the_gate_decides(
    live: Agent, clock: Any, stub: Stub
) -> None:
    change_schedule(live, {"retrain_on_drift": True, "score_every_hours": 24})
    ScoringRun.objects.update(
        drift={"customers": 500, "features": [{"name": "orders", "psi": 0.8, "by_chance": 0.0}]}
    )
    after(clock, days=1)
    assert Alert.objects.get().kind == AlertKind.INPUT_DRIFT
    assert trainings() == 1  # the newest training is a day old
    after(clock, days=7)
    run = TrainingRun.objects.order_by("created_at").last()
    assert run is not None
    assert trainings() == 2
    alert = Alert.objects.get(kind=AlertKind.INPUT_DRIFT)
    assert run.started_for == {"code": "alert", "kind": "input_drift", "alert": alert.pk}
    assert started_for_sentence(run.started_for) == "Started because of an alert: the data have drifted."

    stub(model=0.01)
    execute_run(run.pk)
    live.refresh_from_db()
    run.refresh_from_db()
    assert (run.version.verdict, live.live_version is not None) == ("failed", True)
    assert live.live_version != run.version
    after(clock, days=8)
    assert trainings() == 2
    after(clock, days=14)
    assert trainings() == 3


def test_an_agent_that_may_not_train_itself_only_says_what_is_wrong(live: Agent, clock: Any) -> None:
    ScoringRun.objects.update(
        drift={"customers": 500, "features": [{"name": "orders", "psi": 0.8, "by_chance": 0.0}]}
    )
    after(clock, days=14)

    assert trainings() == 1
    assert AlertKind.INPUT_DRIFT in Alert.objects.values_list("kind", flat=True)


def test_old_scores_are_no_reason_to_train(live: Agent, clock: Any) -> None:
    change_schedule(live, {"retrain_on_drift": True})
    after(clock, days=14)

    assert list(Alert.objects.values_list("kind", flat=True)) == ["stale"]
    assert trainings() == 1


def test_one_round_at_a_time(live: Agent, clock: Any) -> None:
    change_schedule(live, {"train_every_days": 1})
    with alone(root() / "watch") as first:
        assert first
        after(clock, days=3)
    assert trainings() == 1
    after(clock, days=3)
    assert trainings() == 2


def test_one_agents_trouble_is_not_the_others(
    live: Agent, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Agent.objects.create(name="churn", train_every_days=1)
    change_schedule(live, {"train_every_days": 1})
    real = check_alerts

    def check(agent: Agent, **values: Any) -> Any:
        if agent.name == "churn":
            raise ZeroDivisionError
        return real(agent, **values)

    monkeypatch.setattr(keeping_watch, "check_alerts", check)
    after(clock, days=3)

    assert trainings() == 2
    assert "churn cannot be watched; the other agents are." in caplog.messages


def test_a_changed_schedule_is_audited_with_what_it_was(live: Agent) -> None:
    user = User.objects.create_user("ann")
    assert change_schedule(live, {"train_every_days": 7, "drift_limit": 0.25}, user=user) == [
        "train_every_days"
    ]

    entry = AuditEntry.objects.get(action="settings.changed")
    assert (entry.user, entry.detail) == (user, {"train_every_days": [None, 7]})
    assert change_schedule(live, {"train_every_days": 7}, user=user) == []
    assert AuditEntry.objects.filter(action="settings.changed").count() == 1


def test_the_watch_keeps_nothing_of_scorings_that_are_superfluous(live: Agent, clock: Any) -> None:
    assert kept_folder(ScoringRun.objects.get()).exists()
    after(clock, days=1)
    assert kept_folder(ScoringRun.objects.get()).exists()
