"""Export, erasing and opt-out over REST, and the data check."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from churn.models import ChurnScore
from crm_agents.models import AuditEntry, Purpose, RunStatus, TrainingRun
from crm_agents.services.agents import get_agent
from crm_data.models import Customer, Erasure, OptOut


@pytest.fixture
def officer(rep: User) -> User:
    """The rep of C1 and C2, who may manage privacy."""
    rep.user_permissions.add(Permission.objects.get(codename="manage_privacy"))
    return User.objects.get(pk=rep.pk)


@pytest.fixture
def officer_api(client_of: Any, officer: User) -> Any:
    return client_of(officer)


def test_opting_out_is_seen_by_the_next_reader(officer_api: Any, live_churn: Any) -> None:
    before = officer_api.get("/api/v1/customers/C1/")
    assert before.json()["left_out"] == []
    answer = officer_api.put("/api/v1/customers/C1/opt-out/", {"reason": "by letter"}, format="json")
    assert answer.status_code == 200
    said = answer.json()
    assert (said["opted_out"], said["reason"], said["by"]) == (True, "by letter", "rep")
    after = officer_api.get("/api/v1/customers/C1/", headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    body = after.json()
    assert body["left_out"][0]["code"] == "opted_out"
    assert body["profile"] == {"profile": None}
    assert body["agents"]["churn"]["probability"] is None
    assert body["agents"]["churn"]["missing"][0]["code"] == "opted_out"
    feedback = {"agent": "churn", "customer_id": "C1", "verdict": "wrong"}
    assert officer_api.post("/api/v1/feedback/", feedback, format="json").status_code == 400
    again = officer_api.delete("/api/v1/customers/C1/opt-out/")
    assert again.json() == {"opted_out": False, "at": None, "by": "", "reason": ""}
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("body", [{"reason": "x" * 501}, {"why": "?"}, {"reason": 5.5, "more": 1}])
def test_a_bad_opt_out_changes_nothing(officer_api: Any, live_churn: Any, body: dict[str, Any]) -> None:
    answer = officer_api.put("/api/v1/customers/C1/opt-out/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not OptOut.objects.exists()
    assert ChurnScore.objects.count() == 3


def test_an_export_holds_what_is_known(officer_api: Any, live_churn: Any) -> None:
    body = officer_api.get("/api/v1/customers/C1/export/").json()
    assert body["record"]["name"] == "Alder & Sons"
    assert body["scores"][0]["score"] == 0.91
    assert AuditEntry.objects.filter(action="customer.exported", subject="C1").exists()


def test_erasing_answers_with_a_report(officer_api: Any, live_churn: Any) -> None:
    answer = officer_api.delete("/api/v1/customers/C1/derived/")
    assert answer.status_code == 200
    assert answer.json()["rows"] == {"churnscore": 1}
    assert "C1" not in answer.content.decode()
    assert Erasure.objects.count() == 1
    assert Customer.objects.filter(code="C1").exists()
    body = officer_api.get("/api/v1/customers/C1/").json()
    assert body["left_out"][0]["code"] == "erased"
    opt_out = officer_api.put("/api/v1/customers/C1/opt-out/", {}, format="json")
    assert opt_out.status_code == 400
    assert set(ChurnScore.objects.values_list("customer_id", flat=True)) == {"C2", "X9"}


def test_the_record_goes_only_with_the_permission_to_delete_it(
    officer_api: Any, client_of: Any, officer: User, live_churn: Any
) -> None:
    assert officer_api.delete("/api/v1/customers/C1/derived/?record=true").status_code == 403
    assert not Erasure.objects.exists()
    officer.user_permissions.add(Permission.objects.get(codename="delete_customer"))
    api = client_of(User.objects.get(pk=officer.pk))
    assert api.delete("/api/v1/customers/C1/derived/?record=maybe").status_code == 400
    assert api.delete("/api/v1/customers/C1/derived/?record=true").json()["rows"]["customer"] == 1
    assert not Customer.objects.filter(code="C1").exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "customers/{}/export/"),
        ("delete", "customers/{}/derived/"),
        ("put", "customers/{}/opt-out/"),
        ("delete", "customers/{}/opt-out/"),
    ],
)
def test_foreign_customers_are_absent_and_others_may_not(
    officer_api: Any,
    manager_api: Any,
    client_of: Any,
    other_rep: User,
    live_churn: Any,
    method: str,
    path: str,
) -> None:
    call = getattr(officer_api, method)
    for unknown in ("X9", "NOBODY"):
        assert call(f"/api/v1/{path.format(unknown)}").status_code == 404
    theirs = getattr(client_of(other_rep), method)
    assert theirs(f"/api/v1/{path.format('X9')}").status_code == 403
    assert officer_api.post(f"/api/v1/{path.format('C1')}").status_code == 405
    assert not Erasure.objects.exists()
    assert not OptOut.objects.exists()
    assert ChurnScore.objects.count() == 3


REPORT: dict[str, Any] = {
    "findings": [
        {
            "code": "duplicates",
            "severity": "warn",
            "field": "",
            "facts": {"count": 12, "rows": 100, "share": 0.12},
            "remedy": "drop_duplicates",
        }
    ]
}


def test_readiness_before_and_after_a_check(manager_api: Any, queued_run: Any) -> None:
    never = manager_api.get("/api/v1/agents/churn/readiness/").json()
    assert (never["ready"], never["findings"], never["run"], never["excluded"]) == (None, [], None, [])
    agent = get_agent("churn")
    agent.config = {"excluded": ["country"]}
    agent.save()
    run = TrainingRun.objects.create(
        agent=agent, purpose=Purpose.INSPECT, status=RunStatus.SUCCEEDED, report=REPORT
    )
    said = manager_api.get("/api/v1/agents/churn/readiness/").json()
    assert said["ready"] is True
    assert said["findings"][0]["text"] == (
        "12 of 100 interactions repeat another one in every column (12 %)."
    )
    assert said["run"].endswith(f"/runs/{run.pk}/")
    assert said["excluded"] == ["country"]
    assert said["cleaning"]["duplicates"] == "keep"
    TrainingRun.objects.update(report={"findings": [{**REPORT["findings"][0], "severity": "stop"}]})
    assert manager_api.get("/api/v1/agents/churn/readiness/").json()["ready"] is False


def test_a_check_is_started_once(manager_api: Any, rep: User, client_of: Any) -> None:
    assert client_of(rep).post("/api/v1/agents/churn/readiness/").status_code == 403
    answer = manager_api.post("/api/v1/agents/churn/readiness/")
    assert answer.status_code == 202
    run = TrainingRun.objects.get()
    assert run.purpose == Purpose.INSPECT
    assert answer["Location"].endswith(f"/runs/{run.pk}/")
    again = manager_api.post("/api/v1/agents/churn/readiness/")
    assert again.status_code == 409
    assert TrainingRun.objects.count() == 1
    said = manager_api.get("/api/v1/agents/churn/readiness/").json()
    assert said["active_run"].endswith(f"/runs/{run.pk}/")
    assert manager_api.get("/api/v1/agents/nobody/readiness/").status_code == 404
