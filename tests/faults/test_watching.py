"""From training to retraining without a person, by a real clock and worker, and what kill -9 does to it."""

import datetime as dt
from pathlib import Path

import pytest
from django.db.models import F, Max
from django.utils import timezone

from crm_agents.alerts import started_for_sentence
from crm_agents.folders import kept_folder
from crm_agents.models import Agent, Alert, AlertKind, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.selectors import live_scores
from crm_agents.services.agents import get_agent
from crm_agents.services.publishing import promote_version
from crm_agents.services.runs import start_run
from crm_agents.services.shadowing import shadow_version
from crm_agents.services.watching.schedule import change_schedule
from crm_data.models import Interaction
from crm_data.services.snapshots import build_snapshot
from crm_demo.services.filling import fill
from crm_demo.simulator import ShopSpec
from recommender.models import RecommendationSet
from tests.crm_agents.watching.support import sell
from tests.faults.test_worker import Stub, children, is_alive, is_live
from tests.worker import WorkerProcess, empty_queues, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

HORIZON = 30
QUICK = {"horizon_days": HORIZON, "active_days": 180, "epochs": 3, "width": 16, "layers": 1, "max_visits": 16}
LATE = dt.timedelta(days=HORIZON + 10)


@pytest.fixture
def churn(transactional_db: None, tmp_path: Path) -> Agent:
    empty_queues()
    fill(ShopSpec(customers=300, seed=5), owners=[], truth_folder=tmp_path / "truth")
    agent = get_agent("churn")
    agent.config = QUICK
    agent.save()
    return agent


def hold_back() -> list[Interaction]:
    """Take the shop's last weeks out of the tables: they have not happened yet."""
    last = Interaction.objects.aggregate(last=Max("at"))["last"]
    late = Interaction.objects.filter(at__gt=last - LATE)
    held = list(late)
    late.delete()
    return held


def test_from_training_to_retraining_on_drift(churn: Agent, tmp_path: Path) -> None:
    held = hold_back()
    first = start_run(churn, publish=False)
    with WorkerProcess(tmp_path, CRM_WATCH_SECONDS="1") as worker:
        wait_for(lambda: ModelVersion.objects.filter(run=first).exists(), seconds=180, about=worker.log)
        promote_version(ModelVersion.objects.get(), override_reason="A test of the path.")
        wait_for(lambda: Agent.objects.get(pk=churn.pk).live_scoring_id, seconds=60, about=worker.log)
        old = ScoringRun.objects.get()
        wait_for(lambda: ScoringRun.objects.get(pk=old.pk).drift, seconds=30, about=worker.log)

        # A month later: everybody has gone on buying, at ten times the price.
        for row in held:
            row.amount = (row.amount or 0) * 10
        Interaction.objects.bulk_create(held)
        ScoringRun.objects.update(created_at=F("created_at") - dt.timedelta(days=30))
        TrainingRun.objects.update(created_at=F("created_at") - dt.timedelta(days=30))
        change_schedule(churn, {"score_every_hours": 24, "retrain_on_drift": True})
        wait_for(lambda: ModelVersion.objects.count() == 2, seconds=240, about=worker.log)

    old.refresh_from_db()
    assert old.drift["features"]
    assert max(each["psi"] for each in old.drift["features"]) < 1
    assert old.realised_at is not None
    assert set(old.realised["metrics"]) >= {"roc_auc", "brier"}
    assert old.realised["customers"] > 50
    assert set(old.realised["tiers"]) <= {"high", "medium", "low"}

    new = ScoringRun.objects.exclude(pk=old.pk).order_by("created_at")[0]
    assert (new.status, new.shadow) == (RunStatus.SUCCEEDED, False)
    assert new.as_of - old.as_of >= dt.timedelta(days=HORIZON)
    alert = Alert.objects.get(kind=AlertKind.INPUT_DRIFT)
    # An open alert follows the newest scores, which may be those of the retrained version by now.
    assert alert.scoring in ScoringRun.objects.exclude(pk=old.pk)
    retrained = TrainingRun.objects.order_by("created_at").last()
    assert retrained is not None
    assert (retrained.status, retrained.started_by) == (RunStatus.SUCCEEDED, None)
    assert retrained.started_for["code"] == "alert"
    assert started_for_sentence(retrained.started_for).startswith("Started because of an alert")
    assert TrainingRun.objects.count() == 2  # once, though the watch looked many times
    assert timezone.now() - alert.opened_at < dt.timedelta(minutes=10)


def test_after_kill_9_a_shadow_is_scored_whole_and_readers_see_nothing_of_it(
    agent: Agent, stub: Stub, tmp_path: Path
) -> None:
    start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
        second = start_run(agent, publish=False)
        wait_for(lambda: ModelVersion.objects.filter(run=second).exists(), about=worker.log)
    before = sorted(live_scores(agent).values_list("pk", "score"))
    stub(seconds=3, scores=0.9)
    shadow = shadow_version(ModelVersion.objects.get(run=second))
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: shadow.shards.filter(status=RunStatus.SCORING).exists(), about=worker.log)
        pool = children(worker.pid)
        worker.kill()
        wait_for(lambda: not any(map(is_alive, pool)), seconds=5)
    stub(scores=0.9)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: ScoringRun.objects.get(pk=shadow.pk).beside_live, about=worker.log)

    shadow.refresh_from_db()
    assert (shadow.status, shadow.rows, shadow.published_at) == (RunStatus.SUCCEEDED, 6, None)
    assert RecommendationSet.objects.filter(scoring=shadow, score=0.9).count() == 6
    assert shadow.beside_live["customers"] == 6
    agent.refresh_from_db()
    assert agent.shadow_version == shadow.version
    assert sorted(live_scores(agent).values_list("pk", "score")) == before
    assert {score for _, score in before} == {0.5}


def test_after_kill_9_old_scores_are_judged_once(agent: Agent, stub: Stub, tmp_path: Path) -> None:
    start_run(agent)
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: is_live(agent), about=worker.log)
        scoring = ScoringRun.objects.get()
        wait_for(lambda: ScoringRun.objects.get(pk=scoring.pk).drift, about=worker.log)
    sell(days=40)
    build_snapshot()
    stub(judging=60)
    judges = kept_folder(scoring) / "judges"
    with WorkerProcess(tmp_path, CRM_WATCH_SECONDS="1") as worker:
        wait_for(judges.exists, about=worker.log)
        pool, judge = children(worker.pid), int(judges.read_text().split()[0])
        worker.kill()
        wait_for(lambda: not any(map(is_alive, [*pool, judge])), seconds=5)
    scoring.refresh_from_db()
    assert (scoring.realised_at, scoring.realised) == (None, {})
    stub(realised=0.2)
    with WorkerProcess(tmp_path, CRM_WATCH_SECONDS="1") as worker:
        wait_for(lambda: ScoringRun.objects.get(pk=scoring.pk).realised_at, seconds=40, about=worker.log)

    scoring.refresh_from_db()
    assert scoring.realised["metrics"]["ndcg@10"] == 0.2
    assert len(judges.read_text().split()) == 2
