from typing import Any

import pytest

from crm_agents.models import AuditEntry, ScoringRun
from crm_agents.services.scoring import NothingToScore

URL = "/api/v1/agents/churn/score/"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The versions that a scoring was started with; no snapshot on disk is needed."""
    asked: list[Any] = []

    def start(agent: Any, *, version: Any = None, user: Any = None) -> ScoringRun:
        asked.append(version)
        version = version or agent.live_version
        if version is None:
            raise NothingToScore("churn has no live version to score with.")
        return ScoringRun.objects.create(
            agent=agent, version=version, snapshot=version.snapshot, as_of=version.created_at
        )

    monkeypatch.setattr("crm_agents.api.runs.start_scoring", start)
    return asked


def test_a_scoring_is_accepted_and_names_its_run(
    manager_api: Any, live_churn: Any, started: list[Any]
) -> None:
    answer = manager_api.post(URL)
    assert answer.status_code == 202
    scoring = ScoringRun.objects.exclude(pk=live_churn.live_scoring_id).get()
    assert answer.headers["Location"] == f"http://testserver/api/v1/runs/{scoring.pk}/"
    assert manager_api.get(answer.headers["Location"]).json() == answer.json()
    assert started == [None]


def test_a_version_may_be_named_by_its_number(
    manager_api: Any, live_churn: Any, make_version: Any, started: list[Any]
) -> None:
    second = make_version(live_churn, 2)
    assert manager_api.post(URL, {"version": 2}, format="json").status_code == 202
    assert started == [second]


@pytest.mark.parametrize("version", [7, 0, -1, "x", 1.5, True, 10**30])
def test_a_version_that_is_none_is_refused(
    manager_api: Any, live_churn: Any, started: list[Any], version: Any
) -> None:
    answer = manager_api.post(URL, {"version": version}, format="json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["version"]
    assert started == []


def test_without_a_live_version_there_is_nothing_to_score_with(
    manager_api: Any, customers: Any, started: list[Any]
) -> None:
    answer = manager_api.post(URL)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "churn has no live version to score with."
    assert not ScoringRun.objects.exists()


def test_a_scoring_at_work_is_named(manager_api: Any, live_churn: Any) -> None:
    version = live_churn.live_version
    active = ScoringRun.objects.create(
        agent=live_churn, version=version, snapshot=version.snapshot, as_of=version.created_at
    )
    from crm_data.selectors import snapshot_folder
    from handoff.dataset import Manifest, write_manifest

    manifest = Manifest(1, "GBP", "2011-12-09T12:50:00+00:00", None, None, 0, 0, 0, {}, "test")
    folder = snapshot_folder(version.snapshot)
    folder.mkdir(parents=True)
    write_manifest(folder, manifest)
    answer = manager_api.post(URL)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:run-already-active"
    assert answer.json()["run"] == f"http://testserver/api/v1/runs/{active.pk}/"
    assert ScoringRun.objects.count() == 2
    assert not AuditEntry.objects.exists()
