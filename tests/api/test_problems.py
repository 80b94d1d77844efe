import logging
from typing import Any

import pytest

from crm_agents.api.problems import FieldError, field_errors, shown
from crm_agents.models import Feedback

PROBLEM = "application/problem+json"
FEEDBACK = "/api/v1/feedback/"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'{"agent": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"agent": ' + b"9" * 5000 + b"}", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"", 400),
    ],
)
def test_a_body_that_is_no_object_is_a_problem(api: Any, customers: Any, body: bytes, status: int) -> None:
    answer = api.post(FEEDBACK, body, content_type="application/json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "garbage"])
def test_anything_but_json_is_415(api: Any, customers: Any, content_type: str) -> None:
    answer = api.post(FEEDBACK, b"agent=churn", content_type=content_type)
    assert (answer.status_code, answer.headers["Content-Type"]) == (415, PROBLEM)


def test_json_may_name_its_charset(api: Any, customers: Any) -> None:
    answer = api.post(FEEDBACK, b"{}", content_type="application/json; charset=utf-8")
    assert [error["field"] for error in answer.json()["errors"]] == ["agent", "customer_id", "verdict"]


def test_a_body_that_is_too_large_is_413(manager_api: Any, customers: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = manager_api.post("/api/v1/interactions/", {"rows": ["x" * 100]}, format="json")
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body is larger than 100 bytes; send it in parts."


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_a_method_that_is_none_is_405(api: Any, method: str) -> None:
    answer = getattr(api, method)("/api/v1/customers/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, PROBLEM)
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["application/json", PROBLEM, "text/html", "image/png", "*/*", "garbage"])
def test_the_answer_is_json_whatever_is_asked_for(api: Any, customers: Any, accept: str) -> None:
    answer = api.get("/api/v1/customers/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v2/", "/api/v1/customers/a/b/"])
def test_an_address_that_is_none_is_a_problem_below_api(client: Any, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such address; the API is described at /api/v1/docs/.",
        "instance": path,
        "errors": [],
    }


def test_elsewhere_errors_stay_pages(client: Any) -> None:
    answer = client.get("/nothing/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_what_nobody_thought_of_is_logged_and_answered_without_its_details(
    api: Any, customers: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fall(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("crm_agents.api.customers.visible_customers", fall)
    with caplog.at_level(logging.ERROR, "crm_agents.api.problems"):
        answer = api.get("/api/v1/customers/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert b"secret" not in answer.content
    (record,) = [record for record in caplog.records if record.name == "crm_agents.api.problems"]
    assert "secret detail" in str(record.exc_info)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("search", "a\x00b"),
        ("search", "x" * 201),
        ("cursor", "\x00"),
        ("limit", "１"),
        ("cursor", "x" * 2001),
    ],
)
def test_garbage_in_the_query_is_named(api: Any, customers: Any, name: str, value: str) -> None:
    answer = api.get("/api/v1/customers/", {name: value})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize("key", ["%00", "a%00b", "x" * 65, "%F0%9F%A6%8A", "%FF", "..", "'", "{}", "9" * 64])
@pytest.mark.parametrize("tail", ["", "churn/", "recommendations/"])
def test_garbage_for_a_customer_is_404(api: Any, live_churn: Any, key: str, tail: str) -> None:
    answer = api.get(f"/api/v1/customers/{key}/{tail}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


def test_errors_of_lists_name_the_place() -> None:
    detail = {"rows": [{}, {"at": ["Wrong."]}], "non_field_errors": ["All wrong."]}
    data = {"rows": [{"at": 1}, {"at": 2}]}
    assert list(field_errors(detail, data)) == [
        FieldError("rows.1.at", 2, "Wrong."),
        FieldError("", '{"rows": [{"at": 1}, {"at": 2}]}', "All wrong."),
    ]


@pytest.mark.parametrize(
    ("value", "repeated"),
    [
        (None, None),
        (1.5, 1.5),
        ("x" * 300, "x" * 200 + "…"),
        ("\ud800", "?"),
        ([1, {"a": 2}], '[1, {"a": 2}]'),
        (10**300, "1" + "0" * 199 + "…"),
    ],
)
def test_a_refused_value_is_repeated_in_short(value: Any, repeated: Any) -> None:
    assert shown(value) == repeated
