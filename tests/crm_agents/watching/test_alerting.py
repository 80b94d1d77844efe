import datetime as dt
import logging
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from crm_agents.alerts import alert_sentence
from crm_agents.models import Agent, Alert, AlertKind, AuditEntry, RunStatus, ScoringRun, TrainingRun
from crm_agents.services.watching.alerting import AlertIsClosed, check_alerts, close_alert
from tests.published import publish

pytestmark = pytest.mark.django_db(transaction=True)

EVALUATION = {"metrics": {"model": {"ndcg@10": 0.4}, "baselines": {}}}


@pytest.fixture
def live(agents_root: Path) -> Agent:
    """A recommender that is live since just now, and whose test promised an NDCG@10 of 0.4."""
    agent = publish("recommender", {"C1": (0.5, {"items": []})})
    assert agent.live_scoring is not None
    assert agent.live_version is not None
    agent.live_version.evaluation = EVALUATION
    agent.live_version.save()
    return agent


def change(agent: Agent, **values: Any) -> None:
    assert agent.live_scoring_id is not None
    ScoringRun.objects.filter(pk=agent.live_scoring_id).update(**values)


def drift(*, customers: int = 1000, scores: float = 0.0, **features: float) -> dict[str, Any]:
    named = [{"name": name, "psi": psi, "by_chance": 0.02} for name, psi in features.items()]
    return {
        "customers": customers,
        "features": sorted(named, key=lambda each: -float(str(each["psi"]))),
        "scores": {"psi": scores, "by_chance": 0.02},
    }


def kinds(agent: Agent) -> list[str]:
    return sorted(Alert.objects.filter(agent=agent, closed_at=None).values_list("kind", flat=True))


def test_nothing_wrong_opens_nothing(live: Agent) -> None:
    change(live, drift=drift(orders=0.26, spend=0.1))  # 0.26 less what chance explains is below 0.25

    assert check_alerts(live) == []
    assert Alert.objects.count() == AuditEntry.objects.count() == len(mail.outbox) == 0


def test_drifted_inputs_open_one_alert_that_names_them(
    live: Agent, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ALERT_EMAILS": ["boss@example.com"]}
    change(live, drift=drift(orders=0.9, spend=0.5, age=0.01))
    with caplog.at_level(logging.WARNING, "crm_agents.services.watching.alerting"):
        (alert,) = check_alerts(live)

    sentence = "2 inputs of v1 lie further from their test than 0.25 (PSI): orders (0.90), spend (0.50)."
    assert (alert.kind, alert_sentence(alert)) == (AlertKind.INPUT_DRIFT, sentence)
    assert alert.scoring_id == live.live_scoring_id
    assert caplog.messages == [f"recommender: {sentence}"]
    assert [(message.subject, message.to) for message in mail.outbox] == [
        ("recommender: the data have drifted", ["boss@example.com"])
    ]
    assert sentence in str(mail.outbox[0].body)
    assert [entry.action for entry in AuditEntry.objects.all()] == ["alert.opened"]
    assert check_alerts(live) == []  # it is open already
    assert Alert.objects.count() == len(mail.outbox) == 1


def test_an_open_alert_shows_the_newest_figures(live: Agent) -> None:
    change(live, drift=drift(orders=0.9))
    check_alerts(live)
    change(live, drift=drift(orders=0.6))
    check_alerts(live)

    assert Alert.objects.get().detail["features"] == [{"name": "orders", "psi": 0.6}]


def test_an_alert_closes_by_itself_when_its_reason_is_gone(live: Agent) -> None:
    change(live, drift=drift(scores=0.8))
    (alert,) = check_alerts(live)
    assert alert.kind == AlertKind.SCORE_DRIFT
    change(live, drift=drift(scores=0.05))
    check_alerts(live)

    alert.refresh_from_db()
    assert alert.closed_at is not None
    assert alert.closed_by is None
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["alert.opened", "alert.closed"]


def test_what_a_person_dismissed_stays_closed_until_something_else_is_wrong(live: Agent) -> None:
    user = User.objects.create_user("ann")
    change(live, drift=drift(orders=0.9, spend=0.5))
    (alert,) = check_alerts(live)
    close_alert(alert, user=user)
    assert (alert.closed_by, AuditEntry.objects.get(action="alert.closed").user) == (user, user)
    with pytest.raises(AlertIsClosed, match=r"This alert is closed already\."):
        close_alert(alert, user=user)

    change(live, drift=drift(orders=0.95))
    assert check_alerts(live) == []
    change(live, drift=drift(orders=0.95, age=0.4))
    assert len(check_alerts(live)) == 1
    assert kinds(live) == ["input_drift"]


def test_few_customers_tell_of_no_drift(live: Agent) -> None:
    change(live, drift=drift(customers=49, orders=2.0, scores=2.0))
    assert check_alerts(live) == []
    change(live, drift=drift(customers=50, orders=2.0, scores=2.0))
    assert len(check_alerts(live)) == 2


@pytest.mark.parametrize(("realised", "opened"), [(0.37, []), (0.359, ["results_drop"]), (0.6, [])])
def test_results_below_what_the_test_promised_open_an_alert(
    live: Agent, realised: float, opened: list[str]
) -> None:
    known = {"customers": 200, "metrics": {"ndcg@10": realised}}
    change(live, realised=known, realised_at=timezone.now())
    check_alerts(live)

    assert kinds(live) == opened


def test_a_drop_says_what_was_promised(live: Agent) -> None:
    change(live, realised={"customers": 200, "metrics": {"ndcg@10": 0.2}}, realised_at=timezone.now())
    (alert,) = check_alerts(live)

    assert alert_sentence(alert) == (
        "Of the scores of Dec. 9, 2011 by v1 it is known now how they did: NDCG@10 0.2000, "
        "where the test had promised 0.4000."
    )


def test_few_outcomes_and_failed_judgements_tell_of_no_drop(live: Agent) -> None:
    change(live, realised={"customers": 29, "metrics": {"ndcg@10": 0.1}}, realised_at=timezone.now())
    assert check_alerts(live) == []
    change(live, realised={"problem": "not_kept"})
    assert check_alerts(live) == []


def test_an_error_metric_drops_upwards(live: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_agents.recipes import Gate
    from recommender.agent import Recommender

    monkeypatch.setattr(Recommender, "gate", Gate("brier", ()))
    assert live.live_version is not None
    live.live_version.evaluation = {"metrics": {"model": {"brier": 0.2}}}
    live.live_version.save()
    change(live, realised={"customers": 200, "metrics": {"brier": 0.1}}, realised_at=timezone.now())
    assert check_alerts(live) == []
    change(live, realised={"customers": 200, "metrics": {"brier": 0.23}})
    assert len(check_alerts(live)) == 1


def test_scores_that_missed_two_turns_are_old(live: Agent) -> None:
    now = timezone.now()
    change(live, finished_at=now - dt.timedelta(hours=48))
    assert check_alerts(live, now=now) == []
    change(live, finished_at=now - dt.timedelta(hours=50))
    (alert,) = check_alerts(live, now=now)
    assert (alert.kind, alert.detail["hours"]) == (AlertKind.STALE, 49)
    assert "they should be at most 49 hours old." in alert_sentence(alert)


def test_an_hourly_schedule_makes_scores_old_sooner(live: Agent) -> None:
    live.score_every_hours = 1
    live.save()
    now = timezone.now()
    change(live, finished_at=now - dt.timedelta(hours=4))
    assert len(check_alerts(live, now=now)) == 1


def test_a_run_that_the_clock_started_and_that_failed_opens_an_alert(live: Agent) -> None:
    failed = TrainingRun.objects.create(
        agent=live, status=RunStatus.FAILED, error="The disk is full.", started_for={"code": "schedule"}
    )
    (alert,) = check_alerts(live)
    assert alert_sentence(alert) == "The run that was started by itself failed: The disk is full."
    assert alert.detail["cause"] == str(failed.pk)
    TrainingRun.objects.create(agent=live, status=RunStatus.SUCCEEDED)
    check_alerts(live)
    assert kinds(live) == []


def test_a_run_that_a_person_started_is_that_persons_business(live: Agent) -> None:
    TrainingRun.objects.create(agent=live, status=RunStatus.FAILED, error="The disk is full.")

    assert check_alerts(live) == []


def test_a_failed_scoring_opens_an_alert(live: Agent) -> None:
    assert live.live_version is not None
    failed = ScoringRun.objects.create(
        agent=live,
        version=live.live_version,
        as_of=timezone.now(),
        status=RunStatus.FAILED,
        error="Shard 0: broken",
    )
    (alert,) = check_alerts(live)
    assert alert_sentence(alert) == "The newest scoring failed: Shard 0: broken"
    failed.delete()
    check_alerts(live)
    assert kinds(live) == []


def test_a_mail_server_that_is_down_does_not_keep_the_alert_from_opening(
    live: Agent, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: object) -> None:
        raise ConnectionRefusedError("refused")

    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ALERT_EMAILS": ["boss@example.com"]}
    monkeypatch.setattr("crm_agents.services.watching.alerting.send_mail", down)
    change(live, drift=drift(orders=0.9))

    assert len(check_alerts(live)) == 1
    assert kinds(live) == ["input_drift"]
    assert "The alert could not be sent to boss@example.com." in caplog.messages


def test_an_old_versions_troubles_end_with_it(live: Agent) -> None:
    change(live, drift=drift(orders=0.9))
    check_alerts(live)
    publish("recommender", {"C1": (0.5, {"items": []})})
    check_alerts(live)

    assert kinds(live) == []
