from typing import Any

import pytest

from crm_agents.models import AuditEntry, ModelVersion, RunStatus, ScoringRun
from crm_agents.services.agents import get_agent
from tests.published import TOO_LOW

LIST = "/api/v1/versions/"


@pytest.fixture
def failed_version(live_churn: Any, make_version: Any) -> ModelVersion:
    version: ModelVersion = make_version(live_churn, 2, verdict="failed", verdict_reasons=[TOO_LOW])
    return version


def test_versions_are_listed_newest_first(api: Any, live_churn: Any, failed_version: Any) -> None:
    rows = api.get(LIST).json()["results"]
    assert [(row["number"], row["gate"], row["live"]) for row in rows] == [
        (2, "failed", False),
        (1, "passed", True),
    ]
    assert rows[0] == {
        "id": failed_version.pk,
        "agent": "churn",
        "number": 2,
        "gate": "failed",
        "gate_reasons": [
            {
                **TOO_LOW,
                "text": "NDCG@10 0.1000 is not enough to beat 0.3000 "
                "(Customer's own most frequent products); needed: at least 0.3030.",
            }
        ],
        "live": False,
        "created_at": "2011-12-09T12:50:00Z",
        "url": f"http://testserver/api/v1/versions/{failed_version.pk}/",
    }


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"agent": "churn"}, [2, 1]),
        ({"agent": "recommender"}, []),
        ({"gate": "passed"}, [1]),
        ({"limit": 1}, [2]),
    ],
)
def test_versions_are_filtered(api: Any, failed_version: Any, asked: Any, numbers: list[int]) -> None:
    assert [row["number"] for row in api.get(LIST, asked).json()["results"]] == numbers


def test_one_version_carries_its_evaluation(api: Any, failed_version: Any) -> None:
    body = api.get(f"{LIST}{failed_version.pk}/").json()
    assert {
        key: body[key] for key in ("run_url", "snapshot", "watermark", "artifact_sha256", "evaluation")
    } == {
        "run_url": f"http://testserver/api/v1/runs/{failed_version.run_id}/",
        "snapshot": "d" * 64,
        "watermark": "2011-12-09T12:50:00Z",
        "artifact_sha256": "a" * 64,
        "evaluation": {"metrics": {"model": {"roc_auc": 0.78}}},
    }


@pytest.mark.parametrize("version_id", ["0", "-1", "x", "9" * 19, "9" * 64, "9" * 65, "１", "%00"])
def test_no_such_version_is_404(manager_api: Any, live_churn: Any, version_id: str) -> None:
    for answer in (
        manager_api.get(f"{LIST}{version_id}/"),
        manager_api.post(f"{LIST}{version_id}/promote/"),
    ):
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_version_without_scores_is_scored_first(
    manager_api: Any, live_churn: Any, make_version: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make_version(live_churn, 2)
    waiting = ScoringRun(
        agent=live_churn, version=version, snapshot=version.snapshot, as_of=version.created_at
    )

    def promote(asked: ModelVersion, **values: Any) -> ScoringRun:
        assert (asked, values["override_reason"]) == (version, "")
        waiting.save()
        return waiting

    monkeypatch.setattr("crm_agents.api.versions.promote_version", promote)
    answer = manager_api.post(f"{LIST}{version.pk}/promote/")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"http://testserver/api/v1/runs/{waiting.pk}/"
    assert (answer.json()["kind"], answer.json()["status"]) == ("scoring", "queued")


def test_a_version_whose_scores_are_kept_is_live_at_once(
    manager_api: Any, live_churn: Any, make_version: Any
) -> None:
    newer = make_version(live_churn, 2)
    ScoringRun.objects.create(
        agent=live_churn,
        version=newer,
        snapshot=newer.snapshot,
        as_of=newer.created_at,
        status=RunStatus.SUCCEEDED,
        published_at=newer.created_at,
    )
    answer = manager_api.post(f"{LIST}{newer.pk}/promote/")
    url = f"http://testserver/api/v1/versions/{newer.pk}/"
    assert (answer.status_code, answer.json()) == (200, {"live_version": 2, "url": url})
    live_churn.refresh_from_db()
    assert live_churn.live_version == newer


def test_a_version_that_failed_its_gate_needs_a_reason(
    manager_api: Any, live_churn: Any, failed_version: Any
) -> None:
    before = live_churn.live_scoring_id
    answer = manager_api.post(f"{LIST}{failed_version.pk}/promote/", {}, format="json")
    assert answer.status_code == 409
    body = answer.json()
    assert body["type"] == "urn:problem:crm-agents:gate-not-passed"
    assert body["detail"] == (
        "churn v2 did not pass its gate: NDCG@10 0.1000 is not enough to beat 0.3000 (Customer's own most "
        "frequent products); needed: at least 0.3030. Give a reason to promote it all the same."
    )
    live_churn.refresh_from_db()
    assert live_churn.live_scoring_id == before
    assert not AuditEntry.objects.exists()
    assert ScoringRun.objects.count() == 1


def test_without_a_snapshot_on_disk_nothing_is_promoted(
    manager_api: Any, live_churn: Any, make_version: Any
) -> None:
    version = make_version(live_churn, 2)
    answer = manager_api.post(f"{LIST}{version.pk}/promote/")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:nothing-to-score"
    live_churn.refresh_from_db()
    assert live_churn.live_version.number == 1
    assert not AuditEntry.objects.exists()


def test_a_rollback_shows_the_scores_before(manager_api: Any, live_churn: Any) -> None:
    from tests.published import publish

    first = live_churn.live_version
    publish("churn", {"C1": (0.1, {"reasons": []})})
    answer = manager_api.post("/api/v1/agents/churn/rollback/")
    url = f"http://testserver/api/v1/versions/{first.pk}/"
    assert (answer.status_code, answer.json()) == (200, {"live_version": 1, "url": url})
    assert get_agent("churn").live_scoring_id == live_churn.live_scoring_id
    assert manager_api.get("/api/v1/customers/C1/churn/").json()["probability"] == 0.91


def test_there_may_be_nothing_to_go_back_to(manager_api: Any, live_churn: Any) -> None:
    answer = manager_api.post("/api/v1/agents/churn/rollback/")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:nothing-to-roll-back-to"
    assert get_agent("churn").live_scoring_id == live_churn.live_scoring_id
    assert not AuditEntry.objects.exists()


def test_a_rep_promotes_and_rolls_back_nothing(api: Any, live_churn: Any, failed_version: Any) -> None:
    answers = [
        api.post(f"{LIST}{failed_version.pk}/promote/", {"override_reason": "please"}, format="json"),
        api.post("/api/v1/agents/churn/rollback/"),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert get_agent("churn").live_scoring_id == live_churn.live_scoring_id
    assert not AuditEntry.objects.exists()
