"""What readers see of customers who are in an experiment."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from churn.selectors import churn_for, tier_cells
from churn.selectors import worklist as churn_worklist
from crm_agents.arms import in_second_arm
from crm_agents.models import Agent, Experiment, FreshScore, RunStatus, ScoringRun
from crm_agents.recipes import get_recipe
from crm_agents.selectors import shown_score, without_control
from crm_data.models import Customer, Interaction
from recommender.models import RecommendationSet
from recommender.selectors import recommendations_for, worklist
from tests.crm_agents.experiments.support import begun, listed, open_shop, sell
from tests.crm_agents.experiments.test_starting import shadow
from tests.published import AS_OF, publish

pytestmark = pytest.mark.django_db

NOTE = "Belongs to the control group of the experiment begun on"
NUMBER = 40


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> None:
    cache.clear()


@pytest.fixture
def agent() -> Agent:
    """P3 is what everybody buys; the agent recommends P1 and P2."""
    agent = open_shop(NUMBER)
    Interaction.objects.bulk_create(
        [sell(f"C{each}", AS_OF - timedelta(days=each), product="P3") for each in range(10)]
        + [sell("C1", AS_OF - timedelta(days=2), product="P2")]
    )
    return agent


def arms(experiment: Experiment) -> tuple[list[str], list[str]]:
    """Return the customers of the second arm, and the others."""
    every = [f"C{each}" for each in range(NUMBER)]
    second = [each for each in every if in_second_arm(experiment, each)]
    assert 5 < len(second) < NUMBER - 5
    return second, [each for each in every if each not in second]


def products(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def test_a_control_group_is_shown_what_is_popular_and_why(agent: Agent) -> None:
    control, others = arms(begun(agent, share=0.5))
    found = recommendations_for(agent, control[0])
    assert products(found) == ["P3", "P2"]
    assert found["source"] == "popularity"
    assert found["note"].startswith(NOTE)
    assert found["note"].endswith("shown what is popular with everyone.")
    assert found["items"][0]["reasons"] == [
        {"code": "popular", "text": "10 customers bought this in the last 28 days."}
    ]
    other = recommendations_for(agent, others[0])
    assert (products(other), other["source"], other["note"]) == (["P1", "P2"], "model", "")
    summary = get_recipe("recommender").customer_summary(agent, control[0])
    assert summary is not None
    assert [item["product"] for item in summary["items"]] == ["P3", "P2"]


def test_a_control_group_shown_nothing_gets_the_reason_alone(agent: Agent) -> None:
    control, _others = arms(begun(agent, share=0.5, treatment="nothing"))
    found = recommendations_for(agent, control[0])
    assert (found["items"], found["source"]) == ([], None)
    assert found["note"].endswith("no answer is shown.")


def test_whoever_has_no_score_is_told_that_and_nothing_of_groups(agent: Agent) -> None:
    begun(agent, share=0.5)
    assert "do not cover this customer" in recommendations_for(agent, "stranger")["note"]


def test_once_it_has_ended_all_are_shown_the_same(agent: Agent) -> None:
    experiment = begun(agent, share=0.5)
    control, _others = arms(experiment)
    Experiment.objects.update(ended_at=timezone.now(), ended_for="stopped")
    assert products(recommendations_for(agent, control[0])) == ["P1", "P2"]


def test_a_control_group_is_in_no_worklist_and_no_export(agent: Agent, manager: User, client: Client) -> None:
    control, others = arms(begun(agent, share=0.5))
    assert {row.customer_id for row in worklist(agent, manager)} == set(others)
    assert without_control(agent, [*control, *others]) == others
    client.force_login(manager)
    url = reverse("admin:crm_agents_recommender_recommendationset_changelist")
    page = client.get(url)
    assert {row.customer_id for row in page.context["cl"].result_list} == set(others)
    assert "The control group of the present experiment is not listed." in page.content.decode()
    chosen = {"action": "export_csv", "select_across": "1", "_selected_action": "0", "index": "0"}
    answer: Any = client.post(url, chosen)
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == set(others)


def test_churn_says_nothing_of_a_control_group(manager: User) -> None:
    ids = [f"C{each}" for each in range(NUMBER)]
    Customer.objects.bulk_create(Customer(code=each, name=each) for each in ids)
    agent = publish("churn", {each: (0.8, {"reasons": [], "before": 0.5}) for each in ids})
    control, others = arms(begun(agent, share=0.5, treatment="nothing"))
    found = churn_for(agent, control[0])
    assert (found["probability"], found["tier"], found["trend"]) == (None, "unknown", "unknown")
    assert [(entry["code"], entry["text"].startswith(NOTE)) for entry in found["missing"]] == [
        ("control_group", True)
    ]
    assert churn_for(agent, others[0])["probability"] == 0.8
    assert {row.customer_id for row in churn_worklist(agent, manager)} == set(others)
    assert set(tier_cells(agent, ids)) == set(others)


@pytest.fixture
def rival(agent: Agent) -> ScoringRun:
    """Version B in the shadow, which recommends P3."""
    shadow(agent)
    scoring = ScoringRun.objects.get(shadow=True)
    RecommendationSet.objects.bulk_create(
        RecommendationSet(scoring=scoring, customer_id=f"C{each}", score=0.4, payload=listed("P3"))
        for each in range(NUMBER)
    )
    return scoring


def test_a_share_of_the_customers_is_shown_version_b(agent: Agent, rival: ScoringRun, manager: User) -> None:
    second, first = arms(begun(agent, kind="ab", treatment="", share=0.5, rival=rival.version))
    b, a = recommendations_for(agent, second[0]), recommendations_for(agent, first[0])
    assert (products(b), b["version"]) == (["P3"], 2)
    assert (products(a), a["version"]) == (["P1", "P2"], 1)
    rows = {row.customer_id: row.scoring_id for row in worklist(agent, manager)}
    assert rows == {**dict.fromkeys(first, agent.live_scoring_id), **dict.fromkeys(second, rival.pk)}


def test_neither_version_is_ahead_by_being_refreshed(agent: Agent, rival: ScoringRun) -> None:
    _second, first = arms(begun(agent, kind="ab", treatment="", share=0.5, rival=rival.version))
    assert agent.live_scoring is not None
    FreshScore.objects.create(
        agent=agent,
        scoring=agent.live_scoring,
        customer_id=first[0],
        score=0.9,
        payload=listed("P2"),
        as_of=timezone.now(),
        made_at=timezone.now(),
    )
    row = shown_score(agent, first[0]).row
    assert row is not None
    assert row.payload == listed("P1", "P2")


def test_when_another_version_goes_live_all_are_shown_that(agent: Agent, rival: ScoringRun) -> None:
    second, _first = arms(begun(agent, kind="ab", treatment="", share=0.5, rival=rival.version))
    agent.shadow_version = None
    agent.save()
    assert products(recommendations_for(agent, second[0])) == ["P1", "P2"]


def test_a_shadow_still_scoring_shows_version_a(agent: Agent, rival: ScoringRun, manager: User) -> None:
    second, first = arms(begun(agent, kind="ab", treatment="", share=0.5, rival=rival.version))
    ScoringRun.objects.filter(pk=rival.pk).update(status=RunStatus.SCORING)
    assert products(recommendations_for(agent, second[0])) == ["P1", "P2"]
    assert {row.customer_id for row in worklist(agent, manager)} == {*second, *first}


def test_the_customers_page_says_who_is_in_the_control_group(
    agent: Agent, manager: User, client: Client
) -> None:
    control, _others = arms(begun(agent, share=0.5))
    client.force_login(manager)
    page = client.get(reverse("admin:crm_agents_customer", args=[control[0]])).content.decode()
    assert NOTE in page
    assert "P3" in page
