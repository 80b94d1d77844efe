import uuid
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.models import AuditEntry, RunStatus, ScoringRun, ScoringShard, TrainingRun
from crm_agents.services import waking
from crm_agents.services.agents import get_agent

RUNS = "/api/v1/agents/churn/runs/"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the work that a message was sent for; no queue is needed."""
    messages: list[str] = []
    monkeypatch.setattr(waking, "send", lambda rows: messages.extend(str(row.pk) for row in rows))
    return messages


def test_a_start_is_accepted_and_names_the_run(
    manager_api: Any, manager: Any, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = manager_api.post(RUNS, {"config": {"epochs": 2}, "publish": False}, format="json")
    assert answer.status_code == 202
    run = TrainingRun.objects.get()
    url = f"http://testserver/api/v1/runs/{run.pk}/"
    assert answer.headers["Location"] == url
    assert answer.json() == {
        "id": str(run.pk),
        "kind": "training",
        "purpose": "train",
        "agent": "churn",
        "status": "queued",
        "status_label": "queued",
        "active": True,
        "cancel_requested": False,
        "progress": None,
        "missing": [],
        "notice": "",
        "error": "",
        "attempts": 0,
        "config": {"epochs": 2},
        "report": {},
        "started_by": "manager",
        "version": None,
        "created_at": run.created_at.isoformat().replace("+00:00", "Z"),
        "started_at": None,
        "finished_at": None,
        "url": url,
    }
    assert (run.config, run.publish, run.started_by) == ({"epochs": 2}, False, manager)
    assert sent == [str(run.pk)]
    assert manager_api.get(url).json() == answer.json()


def test_a_start_needs_no_body(manager_api: Any, sent: list[str]) -> None:
    assert manager_api.post(RUNS).status_code == 202
    run = TrainingRun.objects.get()
    assert (run.config, run.publish) == ({}, True)


def test_a_second_start_is_refused_with_the_url_of_the_first(
    manager_api: Any, queued_run: Any, sent: list[str]
) -> None:
    answer = manager_api.post(RUNS, {}, format="json")
    assert answer.status_code == 409
    body = answer.json()
    assert body["type"] == "urn:problem:crm-agents:run-already-active"
    assert body["run"] == f"http://testserver/api/v1/runs/{queued_run.pk}/"
    assert TrainingRun.objects.count() == 1
    assert sent == []


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"epoch": 3}, "Unknown setting epoch"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"epochs": 99999}, "epochs is 99999; it must be at least 1 and at most 1000"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be above 0"),
        ({"epochs": "many"}, "epochs"),
        ({"excluded": 5}, "excluded"),
        ({"baselines": 5}, "baselines"),
        ({"minimum": {"cows": 1}}, "Unknown setting cows"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"backbone": "gnn"}, "backbone is 'gnn'"),
        ({"dataset": "/etc"}, "dataset is set by the agent itself"),
        ({"test_cutoff": "\x00"}, "Null characters"),
    ],
)
def test_a_bad_configuration_starts_nothing(
    manager_api: Any, sent: list[str], config: dict[str, Any], part: str
) -> None:
    answer = manager_api.post(RUNS, {"config": config}, format="json")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "config"
    assert part in error["message"]
    assert not TrainingRun.objects.exists()
    assert not AuditEntry.objects.exists()
    assert sent == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k1"}])
def test_a_queue_that_is_down_still_takes_the_run(
    manager_api: Any, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(waking, "_publish", broken)
    answer = manager_api.post(RUNS, {}, format="json", headers=headers)
    assert answer.status_code == 202
    notice = "The queue cannot be reached. The work is stored and starts once it can."
    assert answer.json()["notice"] == notice
    assert TrainingRun.objects.get().status == RunStatus.QUEUED


def test_the_same_start_sent_twice_is_one_run(manager_api: Any, sent: list[str]) -> None:
    answers = [
        manager_api.post(RUNS, {}, format="json", headers={"Idempotency-Key": "monday"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert answers[0].json() == answers[1].json()
    assert TrainingRun.objects.count() == 1


def test_runs_are_listed_newest_first_and_by_status(manager_api: Any, queued_run: Any) -> None:
    agent = queued_run.agent
    failed = TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED, error="Out of memory.")
    TrainingRun.objects.create(agent=get_agent("recommender"))
    rows = manager_api.get(RUNS).json()["results"]
    assert [row["id"] for row in rows] == [str(failed.pk), str(queued_run.pk)]
    only = manager_api.get(RUNS, {"status": "failed"}).json()["results"]
    assert [(row["id"], row["error"]) for row in only] == [(str(failed.pk), "Out of memory.")]


def test_runs_come_in_pages(manager_api: Any, queued_run: Any) -> None:
    TrainingRun.objects.bulk_create(
        [TrainingRun(agent=queued_run.agent, status=RunStatus.FAILED) for _ in range(4)]
    )
    url, seen = f"{RUNS}?limit=2", []
    while url:
        page = manager_api.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 5


def test_the_number_of_queries_does_not_grow_with_the_runs(
    manager_api: Any, queued_run: Any, queries_of: Any
) -> None:
    before = queries_of(lambda: manager_api.get(RUNS))
    TrainingRun.objects.bulk_create(
        [TrainingRun(agent=queued_run.agent, status=RunStatus.FAILED) for _ in range(20)]
    )
    assert queries_of(lambda: manager_api.get(RUNS)) == before


def test_progress_is_that_of_the_phase(manager_api: Any, queued_run: Any) -> None:
    queued_run.status = RunStatus.TRAINING
    queued_run.progress = {
        "phase": "training",
        "step": 3,
        "of": 9,
        "loss": 0.5,
        "eta_seconds": 6.0,
        "at": 1.0,
    }
    queued_run.save()
    body = manager_api.get(f"/api/v1/runs/{queued_run.pk}/").json()
    assert body["progress"] == {"phase": "training", "step": 3, "of": 9, "loss": 0.5, "eta_seconds": 6.0}


def test_not_enough_data_says_what_is_missing(manager_api: Any, queued_run: Any) -> None:
    queued_run.status, queued_run.missing = (
        RunStatus.NOT_ENOUGH_DATA,
        [{"code": "customers", "have": 3, "need": 50}],
    )
    queued_run.save()
    body = manager_api.get(f"/api/v1/runs/{queued_run.pk}/").json()
    assert (body["status"], body["active"], body["missing"]) == (
        "not_enough_data",
        False,
        [{"code": "customers", "text": "3 customers with purchases; at least 50 are needed."}],
    )


def test_a_scoring_is_a_run_too(manager_api: Any, live_churn: Any) -> None:
    version = live_churn.live_version
    scoring = ScoringRun.objects.create(
        agent=live_churn,
        version=version,
        snapshot=version.snapshot,
        as_of=timezone.now(),
        status=RunStatus.SCORING,
    )
    for shard, status in enumerate((RunStatus.SUCCEEDED, RunStatus.QUEUED, RunStatus.SCORING)):
        ScoringShard.objects.create(
            scoring=scoring, shard=shard, status=status, notice="No queue." if shard == 1 else ""
        )
    body = manager_api.get(f"/api/v1/runs/{scoring.pk}/").json()
    assert (body["kind"], body["status"], body["notice"]) == ("scoring", "scoring", "No queue.")
    assert body["progress"] == {"phase": "scoring", "step": 1, "of": 3, "loss": None, "eta_seconds": None}
    assert body["version"] == f"http://testserver/api/v1/versions/{version.pk}/"


def test_a_cancelled_run_ends(manager_api: Any, manager: Any, queued_run: Any) -> None:
    answer = manager_api.post(f"/api/v1/runs/{queued_run.pk}/cancel/")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["cancel_requested"]) == ("cancelled", True)
    assert AuditEntry.objects.get().action == "run.cancelled"


def test_a_cancelled_scoring_ends_and_leaves_the_live_scores(manager_api: Any, live_churn: Any) -> None:
    version, before = live_churn.live_version, live_churn.live_scoring_id
    scoring = ScoringRun.objects.create(
        agent=live_churn, version=version, snapshot=version.snapshot, as_of=timezone.now()
    )
    answer = manager_api.post(f"/api/v1/runs/{scoring.pk}/cancel/")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    live_churn.refresh_from_db()
    assert live_churn.live_scoring_id == before


def test_what_has_ended_cannot_be_cancelled(manager_api: Any, queued_run: Any) -> None:
    TrainingRun.objects.update(status=RunStatus.SUCCEEDED)
    answer = manager_api.post(f"/api/v1/runs/{queued_run.pk}/cancel/")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:run-finished"
    assert TrainingRun.objects.get().cancel_requested is False
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("run_id", ["none", "1", "0" * 32, str(uuid.UUID(int=7)), "%00", "{x}"])
def test_no_such_run_is_404(manager_api: Any, queued_run: Any, run_id: str) -> None:
    for path in (f"/api/v1/runs/{run_id}/", f"/api/v1/runs/{run_id}/cancel/"):
        answer = manager_api.get(path) if path.endswith(f"{run_id}/") else manager_api.post(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_rep_neither_sees_nor_touches_runs(api: Any, queued_run: Any, sent: list[str]) -> None:
    run = f"/api/v1/runs/{queued_run.pk}/"
    answers = [
        api.get(RUNS),
        api.post("/api/v1/agents/recommender/runs/"),
        api.post("/api/v1/agents/churn/score/"),
        api.get(run),
        api.post(f"{run}cancel/"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert list(TrainingRun.objects.values_list("status", "cancel_requested")) == [("queued", False)]
    assert sent == []
