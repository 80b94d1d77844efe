import json
from typing import Any

import pytest

from crm_agents.models import AuditEntry, Feedback

URL = "/api/v1/feedback/"
GIVEN = {
    "agent": "recommender",
    "customer_id": "C1",
    "item": "P1",
    "verdict": "dismissed",
    "reason": "Has one.",
}


def test_feedback_is_stored_and_answered(api: Any, rep: Any, live_recommender: Any) -> None:
    answer = api.post(URL, GIVEN, format="json")
    assert answer.status_code == 201
    feedback = Feedback.objects.get()
    assert answer.json() == {
        "id": feedback.pk,
        "agent": "recommender",
        "customer_id": "C1",
        "verdict": "dismissed",
        "item": "P1",
        "reason": "Has one.",
        "at": feedback.at.isoformat().replace("+00:00", "Z"),
    }
    assert (feedback.user, feedback.scoring, feedback.tenant) == (
        rep,
        live_recommender.live_scoring,
        "",
    )


def test_own_feedback_is_listed_newest_first(api: Any, manager_api: Any, live_recommender: Any) -> None:
    for verdict in ("dismissed", "accepted"):
        api.post(URL, {**GIVEN, "verdict": verdict}, format="json")
    manager_api.post(URL, {**GIVEN, "verdict": "wrong"}, format="json")
    assert [row["verdict"] for row in api.get(URL).json()["results"]] == ["accepted", "dismissed"]
    assert [row["verdict"] for row in manager_api.get(URL).json()["results"]] == ["wrong"]
    assert api.get(URL, {"agent": "churn"}).json()["results"] == []
    assert api.get(URL, {"customer_id": "C2"}).json()["results"] == []


@pytest.mark.parametrize("customer", ["X9", "nobody"])
def test_feedback_on_a_foreign_customer_is_404_and_leaves_nothing(
    api: Any, live_recommender: Any, customer: str
) -> None:
    answer = api.post(URL, {**GIVEN, "customer_id": customer}, format="json")
    assert answer.status_code == 404
    assert not Feedback.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("verdict", "meh", '"meh" is not a valid choice.'),
        ("verdict", None, "This field may not be null."),
        ("agent", "demand", "Choose one of: churn, recommender."),
        ("agent", ["churn"], "Not a valid string."),
        ("customer_id", "C" * 65, "Ensure this field has no more than 64 characters."),
        ("customer_id", {"a": 1}, "Not a valid string."),
        ("reason", "x\x00y", "Null characters are not allowed."),
        ("stars", 5, "Not known here. Known are: agent, customer_id, item, reason, verdict."),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_stored(
    api: Any, live_recommender: Any, field: str, value: Any, message: str
) -> None:
    answer = api.post(URL, {**GIVEN, field: value}, format="json")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["title"]) == ("urn:problem:crm-agents:invalid-input", "Invalid input")
    assert [(error["field"], error["message"]) for error in body["errors"]] == [(field, message)]
    assert not Feedback.objects.exists()


def test_without_the_permission_nothing_is_given(api: Any, rep: Any, live_recommender: Any) -> None:
    rep.groups.clear()
    assert api.post(URL, GIVEN, format="json").status_code == 403
    assert api.get(URL).status_code == 403
    assert not Feedback.objects.exists()


def test_text_that_cannot_be_encoded_is_refused(api: Any, live_recommender: Any) -> None:
    body = json.dumps({**GIVEN, "reason": "\ud800"})
    answer = api.post(URL, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "reason", "value": "?", "message": "Surrogate characters are not allowed: U+D800."}
    ]
    assert not Feedback.objects.exists()
