import pytest
from django.contrib.auth.models import User

from crm_agents.models import Agent
from crm_agents.selectors import live_score, live_scores, visible_live_scores
from crm_agents.services.agents import ensure_agents, get_agent
from crm_data.models import Customer
from tests.published import publish

pytestmark = pytest.mark.django_db


def test_readers_see_the_live_set_alone() -> None:
    publish("churn", {"C1": (0.1, {})})
    agent = publish("churn", {"C1": (0.2, {}), "C2": (0.9, {})})

    assert sorted(live_scores(agent).values_list("customer_id", "score")) == [("C1", 0.2), ("C2", 0.9)]
    found = live_score(agent, "C1")
    assert found is not None
    assert found.score == 0.2
    assert live_score(agent, "C3") is None


def test_nothing_is_seen_where_nothing_is_live() -> None:
    assert list(live_scores(get_agent("churn"))) == []


def test_a_rep_sees_own_customers_alone(rep: User, other_rep: User, manager: User) -> None:
    Customer.objects.create(code="C1", name="One", owner=rep)
    Customer.objects.create(code="C2", name="Two", owner=other_rep)
    agent = publish("churn", {"C1": (0.2, {}), "C2": (0.9, {}), "gone": (0.5, {})})

    def seen(user: User) -> list[str]:
        return sorted(visible_live_scores(agent, user).values_list("customer_id", flat=True))

    assert seen(rep) == ["C1"]
    assert seen(other_rep) == ["C2"]
    assert seen(manager) == ["C1", "C2", "gone"]


def test_an_agent_is_made_at_its_first_use() -> None:
    assert get_agent("churn") == get_agent("churn")
    assert get_agent("churn", tenant="b") != get_agent("churn")
    assert [agent.name for agent in ensure_agents()] == ["churn", "recommender"]
    assert Agent.objects.count() == 3
    with pytest.raises(LookupError, match=r"No agent is named 'x'\. Registered: churn, recommender\."):
        get_agent("x")
    assert Agent.objects.count() == 3
