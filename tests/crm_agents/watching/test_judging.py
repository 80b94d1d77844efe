import datetime as dt
from typing import Any

import pytest
from celery import current_app

from crm_agents import tasks
from crm_agents.folders import kept_folder
from crm_agents.models import Agent, ScoringRun
from crm_agents.services.scoring import start_scoring
from crm_agents.services.watching.judging import judge_scoring, scorings_to_judge, send_for_judging
from crm_data.services.snapshots import build_snapshot
from tests.crm_agents.watching.support import Stub, go_live, score, sell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(agent: Agent, shop: None, woken: list[str], stub: Stub) -> Agent:
    """The recommender looks 28 days ahead; its scores speak of the shop's last day."""
    go_live(agent)
    return agent


@pytest.fixture
def scoring(live: Agent) -> ScoringRun:
    return ScoringRun.objects.get()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **values: calls.append((name, values)))
    return calls


def test_scores_are_judged_once_the_whole_horizon_is_known(live: Agent, scoring: ScoringRun) -> None:
    sell(days=27)
    build_snapshot()
    assert scorings_to_judge(live) == []
    sell(days=28)
    build_snapshot()
    assert scorings_to_judge(live) == [scoring]


def test_what_came_true_is_stored_beside_what_was_foretold(
    live: Agent, scoring: ScoringRun, sent: list[Any], stub: Stub
) -> None:
    stub(realised=0.41)
    sell(days=40)
    build_snapshot()
    assert send_for_judging(live) == 1
    assert sent == [("crm_agents.tasks.judge_scoring", {"args": [str(scoring.pk)], "expires": 300.0})]
    tasks.judge_scoring(str(scoring.pk))

    scoring.refresh_from_db()
    assert scoring.realised_at is not None
    assert scoring.realised["metrics"]["ndcg@10"] == 0.41
    assert scoring.realised["customers"] == 6
    assert scoring.realised["as_of"] == scoring.as_of.isoformat()
    assert scorings_to_judge(live) == []
    assert judge_scoring(scoring.pk) is False
    assert (kept_folder(scoring) / "scores.parquet").exists()  # still live, so still compared


def test_judged_scores_that_are_not_live_any_more_are_let_go(live: Agent, scoring: ScoringRun) -> None:
    sell(days=40)
    build_snapshot()
    score(start_scoring(live))
    assert kept_folder(scoring).exists()
    assert judge_scoring(scoring.pk) is True

    assert not kept_folder(scoring).exists()


def test_scores_that_were_not_kept_are_asked_about_once(live: Agent, scoring: ScoringRun) -> None:
    (kept_folder(scoring) / "scores.parquet").unlink()
    sell(days=40)
    build_snapshot()
    assert judge_scoring(scoring.pk) is True

    scoring.refresh_from_db()
    assert scoring.realised == {"problem": "not_kept"}
    assert scorings_to_judge(live) == []


def test_a_judge_that_fails_is_kept_as_the_answer(live: Agent, scoring: ScoringRun, stub: Stub) -> None:
    stub(judging="fail")
    sell(days=40)
    build_snapshot()
    assert judge_scoring(scoring.pk) is True

    scoring.refresh_from_db()
    assert scoring.realised["problem"] == "failed"
    assert scoring.realised["error"].endswith("exit status 1: the stub was told not to judge")


def test_a_judge_that_kills_its_workers_is_given_up(live: Agent, scoring: ScoringRun) -> None:
    (kept_folder(scoring) / "attempts").write_text("xxx")
    sell(days=40)
    build_snapshot()
    assert judge_scoring(scoring.pk) is True

    scoring.refresh_from_db()
    assert scoring.realised == {"problem": "attempts", "attempts": 3}
    assert not (kept_folder(scoring) / "judges").exists()


def test_a_version_without_its_artifact_judges_nothing(live: Agent, scoring: ScoringRun) -> None:
    scoring.version.artifact = "gone"
    scoring.version.save()
    sell(days=40)
    build_snapshot()

    assert scorings_to_judge(live) == []
    ScoringRun.objects.filter(pk=scoring.pk).update(as_of=scoring.as_of - dt.timedelta(days=400))
    assert scorings_to_judge(live) == []
