import io
import zipfile
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.folders import artifact_folder
from crm_agents.models import Agent, Alert, AlertKind, AuditEntry, ModelVersion
from handoff.artifact import seal_artifact

ALERTS = "/api/v1/alerts/"
VERSIONS = "/api/v1/versions/"


@pytest.fixture
def alert(live_churn: Agent) -> Alert:
    detail = {"version": 1, "psi": 0.6, "limit": 0.25, "cause": 1}
    return Alert.objects.create(
        agent=live_churn, kind=AlertKind.SCORE_DRIFT, scoring=live_churn.live_scoring, detail=detail
    )


@pytest.fixture
def second(live_churn: Agent, make_version: Any) -> ModelVersion:
    version: ModelVersion = make_version(live_churn, 2)
    return version


def test_alerts_are_listed_with_what_they_say(api: Any, alert: Alert) -> None:
    (row,) = api.get(ALERTS).json()["results"]
    assert (row["id"], row["agent"], row["kind"], row["open"]) == (alert.pk, "churn", "score_drift", True)
    assert row["text"] == "The scores of v1 lie 0.60 from those of its test (PSI); the limit is 0.25."
    assert row["remedy"].startswith("Look at the inputs that moved most")
    assert row["detail"]["psi"] == 0.6
    assert row["scoring_url"] == f"http://testserver/api/v1/runs/{alert.scoring_id}/"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"open": "true"}, 1),
        ({"open": "false"}, 0),
        ({"kind": "stale"}, 0),
        ({"kind": "score_drift", "agent": "churn"}, 1),
        ({"agent": "recommender"}, 0),
    ],
)
def test_alerts_are_filtered(api: Any, alert: Alert, asked: Any, found: int) -> None:
    assert len(api.get(ALERTS, asked).json()["results"]) == found


def test_an_alert_is_closed_once_by_who_may(manager_api: Any, api: Any, alert: Alert) -> None:
    assert api.post(f"{ALERTS}{alert.pk}/close/").status_code == 403
    answer = manager_api.post(f"{ALERTS}{alert.pk}/close/")
    assert answer.status_code == 200
    assert (answer.json()["open"], answer.json()["closed_by"]) == (False, "manager")
    again = manager_api.post(f"{ALERTS}{alert.pk}/close/")
    assert (again.status_code, again.json()["type"]) == (409, "urn:problem:crm-agents:alert-closed")
    assert AuditEntry.objects.filter(action="alert.closed").count() == 1


@pytest.mark.parametrize("alert_id", ["0", "-1", "x", "9" * 19, "9" * 64, "１"])
def test_no_such_alert_is_404(manager_api: Any, alert: Alert, alert_id: str) -> None:
    assert manager_api.post(f"{ALERTS}{alert_id}/close/").status_code == 404


def test_a_version_goes_into_the_shadow_and_out_of_it(
    manager_api: Any, live_churn: Agent, second: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_agents.services.scoring.last_event", lambda snapshot: timezone.now())
    answer = manager_api.post(f"{VERSIONS}{second.pk}/shadow/")
    assert (answer.status_code, answer.json()["kind"]) == (202, "scoring")
    live_churn.refresh_from_db()
    assert live_churn.shadow_version == second
    assert live_churn.live_version != second

    ended = manager_api.delete(f"{VERSIONS}{second.pk}/shadow/")
    assert (ended.status_code, ended.json()) == (200, {"shadow_version": None})
    assert Agent.objects.get(pk=live_churn.pk).shadow_version is None
    again = manager_api.delete(f"{VERSIONS}{second.pk}/shadow/")
    assert (again.status_code, again.json()["type"]) == (409, "urn:problem:crm-agents:not-in-the-shadow")


def test_the_live_version_is_no_shadow(manager_api: Any, live_churn: Agent) -> None:
    answer = manager_api.post(f"{VERSIONS}{live_churn.live_version_id}/shadow/")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:crm-agents:version-is-live")
    live_churn.refresh_from_db()
    assert live_churn.shadow_version is None


def test_a_version_is_downloaded_by_who_may(manager_api: Any, api: Any, second: ModelVersion) -> None:
    url = f"{VERSIONS}{second.pk}/artifact/"
    assert api.get(url).status_code == 403
    damaged = manager_api.get(url)
    assert (damaged.status_code, damaged.json()["type"]) == (409, "urn:problem:crm-agents:artifact-damaged")
    folder = artifact_folder(second)
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    second.artifact_sha256 = seal_artifact(folder)
    second.save()
    answer = manager_api.get(url)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.read("churn-v2/weights.safetensors") == b"weights"
