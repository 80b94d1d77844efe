"""Who gets in: log-in, permissions, rates."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

READS = [
    "/api/v1/customers/",
    "/api/v1/customers/C1/",
    "/api/v1/customers/C1/churn/",
    "/api/v1/customers/C1/recommendations/",
    "/api/v1/churn/",
    "/api/v1/feedback/",
    "/api/v1/agents/",
    "/api/v1/agents/churn/",
    "/api/v1/agents/churn/runs/",
    "/api/v1/runs/00000000-0000-0000-0000-000000000000/",
    "/api/v1/versions/",
    "/api/v1/versions/1/",
    "/api/v1/schema/",
]


@pytest.mark.parametrize("path", READS)
def test_nobody_reads_without_a_log_in(client: Client, customers: Any, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Unauthorized"


@pytest.mark.parametrize("path", READS[:-1])
def test_a_log_in_alone_permits_nothing(api: Any, rep: Any, customers: Any, path: str) -> None:
    rep.groups.clear()
    assert api.get(path).status_code == 403


def test_a_token_opens_the_api(client: Client, rep: Any, customers: Any) -> None:
    token = Token.objects.create(user=rep)
    answer = client.get(READS[0], headers={"Authorization": f"Token {token.key}"})
    assert [row["id"] for row in answer.json()["results"]] == ["C1", "C2"]


@pytest.mark.parametrize("header", ["Token", "Token x y", "Token none", "Token \x7f", "Bearer x"])
def test_a_token_that_is_none_does_not(client: Client, rep: Any, header: str) -> None:
    assert client.get(READS[0], headers={"Authorization": header}).status_code == 401


def test_a_session_writes_only_with_its_csrf_token(rep: Any, customers: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(rep)
    given = {"agent": "churn", "customer_id": "C1", "verdict": "wrong"}
    answer = client.post("/api/v1/feedback/", given, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "CSRF Failed: CSRF cookie not set."


def test_too_many_reads_are_told_when_to_come_back(api: Any, customers: Any, settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"crm_agents.read": "2/min"},
    }
    assert [api.get(READS[0]).status_code for _ in range(3)] == [200, 200, 429]
    answer = api.get(READS[0])
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    # Writes are counted apart, and another user is another count.
    given = {"agent": "churn", "customer_id": "C1", "verdict": "wrong"}
    assert api.post("/api/v1/feedback/", given, format="json").status_code == 201


def test_one_users_reads_do_not_use_up_anothers(
    api: Any, manager_api: Any, customers: Any, settings: Any
) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"crm_agents.read": "1/min"},
    }
    assert [api.get(READS[0]).status_code for _ in range(2)] == [200, 429]
    assert manager_api.get(READS[0]).status_code == 200
