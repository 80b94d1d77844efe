import pytest

from crm_agents.models import Agent
from crm_demo.demo.options import DemoOptions
from crm_demo.demo.summary import summary
from crm_demo.demo.watching import View
from tests.published import publish


@pytest.mark.django_db
def test_a_published_agent_is_told_with_its_gate_table() -> None:
    agent = publish("churn", {"1": (0.7, {"reasons": []})})
    version = agent.live_version
    assert version is not None
    version.evaluation = {
        "counts": {"test": 10},
        "metrics": {"model": {"roc_auc": 0.8}, "baselines": {"recency_rule": {"roc_auc": 0.7}}},
    }
    version.save()
    seen = View("churn", 1.0, "published for 1 customers", ended=True, published=True)
    report = summary(
        DemoOptions(port=8001),
        seconds={"total": 12.345},
        memory_mb={"web": 99.6},
        views=[(agent, seen)],
    )
    assert report["url"] == "http://127.0.0.1:8001/"
    assert report["seconds"] == {"total": 12.3}
    assert report["peak_memory_mb"] == {"web": 100}
    told = report["agents"]["churn"]
    assert (told["published"], told["customers_scored"], told["version"]) == (True, 1, 1)
    assert told["gate"] == {
        "metric": "roc_auc",
        "margin": 0.02,
        "model": 0.8,
        "baselines": {"recency_rule": 0.7},
    }


@pytest.mark.django_db
def test_an_agent_that_failed_is_told_without_figures() -> None:
    agent = Agent.objects.create(name="recommender")
    seen = View("recommender", 1.0, "failed The disk is full.", ended=True)
    told = summary(DemoOptions(), seconds={}, memory_mb={}, views=[(agent, seen)])["agents"]["recommender"]
    assert (told["published"], told["version"], told["customers_scored"]) == (False, None, 0)
    assert told["words"] == "failed The disk is full."
    assert told["gate"]["model"] is None
