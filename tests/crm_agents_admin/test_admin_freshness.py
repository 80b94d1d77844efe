"""The agent's page tells how far its answers are ahead of the published scores, and if nobody sees to it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from crm_agents.models import Agent, FreshScore, News
from crm_agents.services import freshness
from crm_agents.services.freshness import freshness_of, refresh
from tests.published import AS_OF, publish

PAYLOAD: dict[str, Any] = {"source": "model", "items": []}


@pytest.fixture
def agent(db: None, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.setattr(freshness, "ask", lambda task: True)
    return publish("recommender", {"C1": (0.3, PAYLOAD), "C2": (0.3, PAYLOAD)})


def page(client: Any, manager: User, agent: Agent) -> str:
    client.force_login(manager)
    text: str = client.get(f"/admin/crm_agents/agent/{agent.pk}/change/").content.decode()
    return " ".join(text.split())


def test_refreshed_answers_are_counted(client: Any, manager: User, agent: Agent) -> None:
    assert agent.live_scoring is not None
    row = {"score": 0.5, "payload": PAYLOAD, "as_of": AS_OF, "made_at": timezone.now()}
    FreshScore.objects.create(agent=agent, scoring=agent.live_scoring, customer_id="C1", **row)
    text = page(client, manager, agent)
    assert "<dt>Refreshed since, after interactions</dt><dd>1</dd>" in text
    assert "Waiting to be refreshed" not in text
    assert "not fresh" not in text


def test_customers_who_wait_are_counted_and_a_missing_worker_is_named(
    client: Any, manager: User, agent: Agent
) -> None:
    refresh(["C1", "C2"])
    refresh(["C1"])
    text = page(client, manager, agent)
    assert "<dt>Waiting to be refreshed</dt><dd>2</dd>" in text
    assert "no interactive worker is at work" not in text
    News.objects.filter(customer_id="C2").update(at=timezone.now() - timedelta(minutes=2))
    assert "no interactive worker is at work" in page(client, manager, agent)


def test_an_agent_that_is_not_kept_fresh_says_nothing_of_it(client: Any, manager: User, agent: Agent) -> None:
    churn = publish("churn", {})
    assert freshness_of(churn) is None
    assert "Refreshed since" not in page(client, manager, churn)
    assert freshness_of(Agent(name="recommender")) is None
