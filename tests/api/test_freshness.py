"""Freshness at the API: a written interaction, then another list under another ETag."""

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from crm_agents.models import Agent, FreshScore
from crm_agents.services import freshness
from crm_agents.services.refreshing import _store
from handoff.serving import Reply
from tests.published import AS_OF

if TYPE_CHECKING:
    from rest_framework.test import APIClient

URL = "/api/v1/customers/C1/recommendations/"
NEW = '{"source": "model", "items": [{"product": "P2", "score": 0.7, "reasons": []}]}'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(freshness, "ask", found.append)
    return found


def refreshed(agent: Agent, customer: str = "C1", payload: str = NEW) -> FreshScore:
    assert agent.live_scoring is not None
    _store(agent.live_scoring, customer, Reply(1, 0.7, payload, "2011-12-10T00:00:00+00:00"), timezone.now())
    return FreshScore.objects.get(customer_id=customer)


def test_a_write_asks_for_a_refresh(
    manager_api: "APIClient",
    live_recommender: Agent,
    asked: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    row = {"customer": "C1", "kind": "purchase", "at": "2026-01-01T00:00:00Z", "product": "P2"}
    with django_capture_on_commit_callbacks(execute=True):
        answer = manager_api.post("/api/v1/interactions/", {"rows": [row]}, format="json")
    assert (answer.status_code, answer.json()) == (201, {"recorded": 1})
    assert asked == [freshness.REFRESH]


def test_the_refreshed_list_is_shown_with_its_own_time_and_tag(
    api: "APIClient", live_recommender: Agent
) -> None:
    before = api.get(URL)
    assert (before.json()["as_of"], before.json()["refreshed_at"]) == (AS_OF.isoformat(), None)
    fresh = refreshed(live_recommender)
    after = api.get(URL, HTTP_IF_NONE_MATCH=before["ETag"])
    assert after.status_code == 200
    body = after.json()
    assert [item["product"] for item in body["items"]] == ["P2"]
    assert (body["as_of"], body["refreshed_at"]) == ("2011-12-10T00:00:00+00:00", fresh.made_at.isoformat())
    assert body["version"] == 1
    assert api.get(URL, HTTP_IF_NONE_MATCH=after["ETag"]).status_code == 304


def test_the_same_list_refreshed_again_has_another_tag(api: "APIClient", live_recommender: Agent) -> None:
    refreshed(live_recommender)
    first = api.get(URL)["ETag"]
    refreshed(live_recommender)
    assert api.get(URL)["ETag"] != first


def test_the_customers_record_and_the_page_tell_it_too(
    api: "APIClient", live_recommender: Agent, client: Any, rep: Any
) -> None:
    fresh = refreshed(live_recommender)
    summary = api.get("/api/v1/customers/C1/").json()["agents"]["recommender"]
    assert [item["product"] for item in summary["items"]] == ["P2"]
    assert summary["as_of"] == fresh.as_of.isoformat()
    client.force_login(rep)
    page = client.get("/admin/crm_agents/agent/customers/C1/").content.decode()
    assert "Refreshed on" in page
    assert "after an interaction." in page
    assert "Refreshed" not in client.get("/admin/crm_agents/agent/customers/C2/").content.decode()


def test_churn_is_shown_fresh_where_it_was_refreshed(api: "APIClient", live_churn: Agent) -> None:
    payload = '{"reasons": [], "before": 0.9}'
    fresh = refreshed(live_churn, payload=payload)
    body = api.get("/api/v1/customers/C1/churn/").json()
    assert (body["probability"], body["refreshed_at"]) == (0.7, fresh.made_at.isoformat())
    assert body["tier"] == "high"
