import datetime as dt
import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm_agents.folders import artifact_folder
from crm_agents.models import (
    Agent,
    Alert,
    AlertKind,
    AuditEntry,
    ModelVersion,
    RunStatus,
    ScoringRun,
    TrainingRun,
)
from crm_data.models import Snapshot
from handoff.artifact import seal_artifact
from tests.crm_agents_admin.support import AT, make_version, signed_in, staff

pytestmark = pytest.mark.django_db

DRIFT: dict[str, Any] = {
    "customers": 4000,
    "tested_at": "2011-06-11T00:00:00+00:00",
    "features": [
        {"name": "orders_90", "psi": 0.61, "by_chance": 0.004},
        {"name": "spend_90", "psi": 0.05, "by_chance": 0.004},
    ],
    "scores": {
        "name": "scores",
        "psi": 0.12,
        "by_chance": 0.004,
        "edges": [0.2, 0.4],
        "tested": [0.0, 0.3, 0.3, 0.4],
        "today": [0.0, 0.5, 0.3, 0.2],
    },
}


@pytest.fixture
def boss(db: None) -> Client:
    return signed_in(staff("boss", "view_scores", "manage_runs", "promote_version", "manage_agents"))


@pytest.fixture
def alert(agent: Agent, live: ScoringRun) -> Alert:
    live.drift = DRIFT
    live.save()
    detail = {"version": 1, "limit": 0.25, "cause": 1, "features": [{"name": "orders_90", "psi": 0.61}]}
    return Alert.objects.create(agent=agent, kind=AlertKind.INPUT_DRIFT, scoring=live, detail=detail)


def test_the_watching_page_shows_drift_outcomes_and_alerts(
    boss: Client, agent: Agent, live: ScoringRun, alert: Alert, version: ModelVersion
) -> None:
    ScoringRun.objects.create(
        agent=agent,
        version=version,
        as_of=AT - dt.timedelta(days=100),
        status=RunStatus.SUCCEEDED,
        realised={
            "customers": 3900,
            "metrics": {"roc_auc": 0.71},
            "tenths": [{"customers": 2000, "happened": 1500}, {"customers": 1900, "happened": 177}],
        },
        realised_at=AT,
    )
    page = boss.get(f"/admin/crm_agents/agent/{agent.pk}/watching/").content.decode()

    assert "1 input of v1 lies further from its test than 0.25 (PSI): orders_90 (0.61)." in page
    assert "0.610 (orders_90)" in page
    assert "1 drifted" in page
    assert "3,900" in page
    assert "0.7100" in page
    assert ">43 %<" in page  # 1,677 of 3,900
    assert "0.7812" in page  # promised
    assert page.count("crm-svg") == 2
    assert "Newer scores wait until their horizon is over." in page


def test_scores_that_were_not_kept_are_no_outcome(
    viewer: Client, agent: Agent, version: ModelVersion
) -> None:
    for realised in ({"problem": "not_kept"}, {"problem": "failed", "error": "It was killed."}):
        ScoringRun.objects.create(
            agent=agent,
            version=version,
            as_of=AT,
            status=RunStatus.SUCCEEDED,
            realised=realised,
            realised_at=AT,
        )
    page = viewer.get(f"/admin/crm_agents/agent/{agent.pk}/watching/").content.decode()

    assert "It was killed." in page
    assert page.count('colspan="4"') == 1


def test_an_agent_that_was_never_scored_has_a_watching_page(viewer: Client, agent: Agent) -> None:
    page = viewer.get(f"/admin/crm_agents/agent/{agent.pk}/watching/").content.decode()

    assert "No alert is open." in page
    assert "Nothing has been scored yet." in page
    assert "crm-svg" not in page
    assert f"/agent/{agent.pk}/schedule/" not in page


def test_watching_costs_as_much_with_many_scorings_as_with_few(
    boss: Client, agent: Agent, version: ModelVersion, live: ScoringRun, django_assert_max_num_queries: Any
) -> None:
    ScoringRun.objects.bulk_create(
        ScoringRun(
            agent=agent,
            version=version,
            as_of=AT - dt.timedelta(days=number),
            status=RunStatus.SUCCEEDED,
            drift=DRIFT,
            realised={"customers": 3900, "metrics": {"roc_auc": 0.71}},
            realised_at=AT,
        )
        for number in range(200)
    )
    with django_assert_max_num_queries(12):
        assert boss.get(f"/admin/crm_agents/agent/{agent.pk}/watching/").status_code == 200


def test_the_agents_page_says_how_many_alerts_are_open(viewer: Client, agent: Agent, alert: Alert) -> None:
    page = viewer.get(f"/admin/crm_agents/agent/{agent.pk}/change/").content.decode()

    assert "1 alert</span>" in page
    assert f"/admin/crm_agents/agent/{agent.pk}/watching/" in page
    listed = viewer.get("/admin/crm_agents/agent/").content.decode()
    assert "1 alert</span>" in listed


def test_an_alert_is_closed_by_who_may(boss: Client, viewer: Client, alert: Alert) -> None:
    page = f"/admin/crm_agents/alert/{alert.pk}"
    shown = boss.get(f"{page}/change/").content.decode()
    assert "See whether an import or the business has changed; if it has, train anew." in shown
    assert f"{page}/close/" in shown
    assert f"{page}/close/" not in viewer.get(f"{page}/change/").content.decode()
    assert viewer.post(f"{page}/close/").status_code == 403
    assert boss.get(f"{page}/close/").status_code == 405
    assert Alert.objects.get().closed_at is None

    assert boss.post(f"{page}/close/").status_code == 302
    alert.refresh_from_db()
    assert alert.closed_at is not None
    assert str(alert.closed_by) == "boss"
    again = boss.post(f"{page}/close/", follow=True).content.decode()
    assert "This alert is closed already." in again
    listed = boss.get("/admin/crm_agents/alert/").content.decode()
    assert "closed</span>" in listed


def test_the_schedule_is_changed_by_who_may(boss: Client, viewer: Client, agent: Agent) -> None:
    page = f"/admin/crm_agents/agent/{agent.pk}/schedule/"
    assert viewer.get(page).status_code == viewer.post(page, {}).status_code == 403
    values = {"train_every_days": 7, "score_every_hours": "", "drift_limit": 0.3, "drop_limit": 0.1}
    answer = boss.post(page, {**values, "retrain_on_drift": "on"})

    assert answer.status_code == 302
    agent.refresh_from_db()
    assert (agent.train_every_days, agent.score_every_hours, agent.retrain_on_drift) == (7, None, True)
    entry = AuditEntry.objects.get(action="settings.changed")
    assert entry.detail == {
        "train_every_days": [None, 7],
        "retrain_on_drift": [False, True],
        "drift_limit": [0.25, 0.3],
    }


def test_a_schedule_that_cannot_be_is_refused_at_its_field(boss: Client, agent: Agent) -> None:
    values = {"train_every_days": 0, "drift_limit": "much", "drop_limit": 2}
    page = boss.post(f"/admin/crm_agents/agent/{agent.pk}/schedule/", values).content.decode()

    assert page.count('class="errorlist"') == 3
    assert "Train every (days) is 0; choose 1 to 3650, or leave it empty." in page
    assert "Drift limit must be a number." in page
    assert "Drop limit is 2.0; choose 0.01 to 1." in page
    agent.refresh_from_db()
    assert (agent.train_every_days, agent.drop_limit) == (None, 0.1)
    assert AuditEntry.objects.count() == 0


def test_a_scorings_page_shows_its_drift(viewer: Client, live: ScoringRun, alert: Alert) -> None:
    page = viewer.get(f"/admin/crm_agents/scoringrun/{live.pk}/change/").content.decode()

    assert "<code>orders_90</code>" in page
    assert "drifted</span>" in page
    assert "Scores then and now" in page


@pytest.fixture
def second(agent: Agent, live: ScoringRun, snapshot: Snapshot, agents_root: Any) -> ModelVersion:
    folder = agents_root / snapshot.folder
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"last_event": "2011-12-09T12:50:00+00:00"}')
    return make_version(agent, snapshot, number=2)


def test_a_version_goes_into_the_shadow_and_out_of_it(
    boss: Client, viewer: Client, agent: Agent, second: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_agents.services.waking.send", lambda rows: True)
    page = f"/admin/crm_agents/modelversion/{second.pk}"
    assert f"{page}/shadow/" in boss.get(f"{page}/change/").content.decode()
    assert "/shadow/" not in viewer.get(f"{page}/change/").content.decode()
    assert viewer.post(f"{page}/shadow/").status_code == 403
    assert "Nobody is shown its scores" in boss.get(f"{page}/shadow/").content.decode()
    assert boss.post(f"{page}/shadow/").status_code == 302

    agent.refresh_from_db()
    assert agent.shadow_version == second
    assert agent.live_version is not None
    assert agent.live_version.number == 1
    assert "There is nothing to compare yet" in boss.get(f"{page}/shadow/").content.decode()
    assert boss.post(f"{page}/shadow/end/").status_code == 302
    assert Agent.objects.get(pk=agent.pk).shadow_version is None
    assert "has no version in the shadow." in boss.post(f"{page}/shadow/end/", follow=True).content.decode()


def test_the_live_version_offers_no_shadow(boss: Client, version: ModelVersion, live: ScoringRun) -> None:
    page = f"/admin/crm_agents/modelversion/{version.pk}"
    assert f"{page}/shadow/" not in boss.get(f"{page}/change/").content.decode()
    answer = boss.post(f"{page}/shadow/", follow=True).content.decode()

    assert "is live; only another version can be its shadow." in answer
    assert ScoringRun.objects.count() == 1


def test_the_shadow_is_shown_beside_what_is_live(boss: Client, agent: Agent, second: ModelVersion) -> None:
    agent.shadow_version = second
    agent.save()
    ScoringRun.objects.create(
        agent=agent,
        version=second,
        as_of=AT,
        shadow=True,
        status=RunStatus.SUCCEEDED,
        beside_live={
            "live": "x",
            "live_version": 1,
            "customers": 4000,
            "only_live": 1,
            "only_shadow": 2,
            "rank_correlation": 0.9312,
            "top_shared": 0.82,
            "histogram": {"edges": [0.0, 0.5, 1.0], "live": [3000, 1000], "shadow": [2500, 1500]},
        },
    )
    page = boss.get(f"/admin/crm_agents/modelversion/{second.pk}/shadow/").content.decode()

    assert "Beside v1, which is live" in page
    assert "0.931" in page
    assert "82 %" in page
    assert "75.0" in page  # per cent of the live scores in the lower half
    assert "crm-svg" in page


def test_a_version_is_downloaded_as_a_zip(boss: Client, viewer: Client, version: ModelVersion) -> None:
    folder = artifact_folder(version)
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights" * 1000)
    version.artifact_sha256 = seal_artifact(folder)
    version.save()
    page = f"/admin/crm_agents/modelversion/{version.pk}/artifact.zip"
    assert viewer.get(page).status_code == 403
    answer: Any = boss.get(page)

    assert answer["Content-Disposition"] == 'attachment; filename="spare-v1.zip"'
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    assert archive.namelist() == ["spare-v1/manifest.json", "spare-v1/weights.safetensors"]
    assert archive.read("spare-v1/weights.safetensors") == b"weights" * 1000


def test_a_damaged_version_is_not_sent(boss: Client, version: ModelVersion) -> None:
    answer = boss.get(f"/admin/crm_agents/modelversion/{version.pk}/artifact.zip", follow=True)

    assert "does not exist" in answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")


def test_alerts_are_listed_without_a_query_a_row(
    boss: Client, agent: Agent, live: ScoringRun, django_assert_max_num_queries: Any
) -> None:
    Alert.objects.bulk_create(
        Alert(agent=agent, kind=AlertKind.STALE, closed_at=timezone.now(), scoring=live) for _ in range(60)
    )
    with django_assert_max_num_queries(10):
        assert boss.get("/admin/crm_agents/alert/").status_code == 200


def test_a_run_says_why_it_was_started(boss: Client, run: TrainingRun) -> None:
    run.started_for = {"code": "alert", "kind": "input_drift", "alert": 1}
    run.save()
    page = boss.get(f"/admin/crm_agents/trainingrun/{run.pk}/change/").content.decode()

    assert "Started because of an alert: the data have drifted." in page


def test_alerts_are_filtered_by_their_state(boss: Client, alert: Alert) -> None:
    opened = boss.get("/admin/crm_agents/alert/?state=open").content.decode()
    closed = boss.get("/admin/crm_agents/alert/?state=closed").content.decode()
    assert "orders_90" in opened
    assert "orders_90" not in closed
