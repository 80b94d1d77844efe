from typing import Any

import pytest
from django.contrib.auth.models import User

from crm_agents.models import Agent, Feedback
from crm_agents.recipes import get_recipe
from crm_data.models import Customer, Product
from recommender.selectors import recommendations_for, set_answers, worklist
from tests.published import Answer, publish

pytestmark = pytest.mark.django_db

REPEAT = {"code": "repeat", "times": 6, "usual_gap_days": 30, "days_since": 35}
WITH_LIGHTS = {"code": "bought_with", "product": "85048", "customers": 41}
POPULAR = {"code": "popular", "customers": 300, "days": 28}


def item(product: str, score: float, *reasons: dict[str, Any]) -> dict[str, Any]:
    return {"product": product, "score": score, "reasons": list(reasons)}


ANSWERS: dict[str, Answer] = {
    "A": (
        0.31,
        {"source": "model", "items": [item("22423", 0.31, REPEAT), item("21212", 0.2, WITH_LIGHTS)]},
    ),
    "N": (0.05, {"source": "popularity", "items": [item("85048", 0.05, POPULAR)]}),
    "E": (None, {"source": "model", "items": []}),
    "G": (0.4, {"source": "model", "items": [item("deleted", 0.4)]}),
}


@pytest.fixture(autouse=True)
def products() -> None:
    for code, name, price in (
        ("22423", "Cake stand", "12.75"),
        ("21212", "Cake cases", None),
        ("85048", "Lights", "6"),
    ):
        Product.objects.create(code=code, name=name, category="Kitchen", price=price)


def test_recommendations_come_with_names_prices_and_reasons_in_words() -> None:
    agent = publish("recommender", ANSWERS)
    assert recommendations_for(agent, "A") == {
        "agent": "recommender",
        "customer_id": "A",
        "source": "model",
        "note": "",
        "items": [
            {
                "product": "22423",
                "name": "Cake stand",
                "category": "Kitchen",
                "price": 12.75,
                "available": True,
                "score": 0.31,
                "value": 3.9525,
                "source": "model",
                "reasons": [
                    {"code": "repeat", "text": "Bought 6 times, about every 30 days; last 35 days ago."}
                ],
                "feedback": None,
            },
            {
                "product": "21212",
                "name": "Cake cases",
                "category": "Kitchen",
                "price": None,
                "available": True,
                "score": 0.2,
                "value": None,
                "source": "model",
                "reasons": [
                    {
                        "code": "bought_with",
                        "text": "Customers who bought Lights bought this too (41 customers).",
                    }
                ],
                "feedback": None,
            },
        ],
        "order": "chance",
        "value_of": "price",
        "currency": "GBP",
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
        "refreshed_at": None,
    }


def test_the_popularity_fallback_is_labelled() -> None:
    found = recommendations_for(publish("recommender", ANSWERS), "N")
    assert found["source"] == "popularity"
    assert found["note"] == "Popular with everyone; this customer has no purchases yet."
    assert [entry["reasons"] for entry in found["items"]] == [
        [{"code": "popular", "text": "300 customers bought this in the last 28 days."}]
    ]


def test_what_similar_customers_buy_is_labelled() -> None:
    alike = {"attribute": "country", "value": "France", "customers": 3, "of": 9, "days": 365}
    reason = {"code": "same_branch", **alike, "elsewhere": 0.0}
    answers: dict[str, Answer] = {
        "N": (0.1, {"source": "similar_customers", "items": [item("85048", 0.1, reason)]})
    }
    found = recommendations_for(publish("recommender", answers), "N")
    assert found["source"] == "similar_customers"
    assert found["note"] == "What customers with the same attributes buy; this customer has no purchases yet."
    assert [(entry["source"], entry["reasons"][0]["code"]) for entry in found["items"]] == [
        ("similar_customers", "same_branch")
    ]


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("no_sales", "No product that is offered was ever sold, so there is nothing to go by."),
        ("nothing_left", "Staff refused every product that could be recommended to this customer."),
    ],
)
def test_nothing_to_offer_a_newcomer_says_why(code: str, note: str) -> None:
    answers: dict[str, Answer] = {"N": (None, {"source": None, "items": [], "missing": [{"code": code}]})}
    found = recommendations_for(publish("recommender", answers), "N")
    assert (found["items"], found["note"]) == ([], note)


@pytest.mark.parametrize(
    ("customer", "note"),
    [
        ("E", "The agent found no product to recommend to this customer."),
        (
            "G",
            "The recommended products are no longer in the catalogue; the next scoring replaces them.",
        ),
        (
            "new",
            "The scores of Dec. 9, 2011 do not cover this customer; "
            "one who came later is scored the next time.",
        ),
    ],
)
def test_an_empty_answer_states_its_reason(customer: str, note: str) -> None:
    found = recommendations_for(publish("recommender", ANSWERS), customer)
    assert (found["items"], found["note"]) == ([], note)


def test_before_anything_is_live_the_answer_says_why() -> None:
    found = recommendations_for(Agent.objects.create(name="recommender"), "A")
    assert found == {
        "agent": "recommender",
        "customer_id": "A",
        "source": None,
        "note": "This agent has not been trained yet.",
        "items": [],
        "order": "chance",
        "value_of": None,
        "currency": "GBP",
        "as_of": None,
        "version": None,
        "refreshed_at": None,
    }


def test_feedback_stands_with_its_product(rep: User) -> None:
    agent = publish("recommender", ANSWERS)
    Feedback.objects.create(
        agent=agent, customer_id="A", item="21212", verdict="wrong", reason="Has it", user=rep
    )
    first, second = recommendations_for(agent, "A")["items"]
    assert first["feedback"] is None
    said = second["feedback"]
    assert (said["verdict"], said["reason"], said["by"]) == ("wrong", "Has it", "rep")


def test_the_limit_keeps_the_best() -> None:
    agent = publish("recommender", ANSWERS)
    assert [entry["product"] for entry in recommendations_for(agent, "A", limit=1)["items"]] == ["22423"]


def test_many_sets_take_one_query_for_rules_and_one_for_products(django_assert_num_queries: Any) -> None:
    agent = publish("recommender", ANSWERS)
    rows = list(get_recipe("recommender").score_model._default_manager.filter(scoring=agent.live_scoring))
    with django_assert_num_queries(2):
        answers = set_answers(rows, "")  # type: ignore[arg-type]
    assert [answer["customer_id"] for answer in answers] == [row.customer_id for row in rows]


def test_the_worklist_shows_the_surest_first_and_only_own_customers(rep: User, manager: User) -> None:
    for code, owner in (("A", rep), ("N", None), ("E", rep), ("G", None)):
        Customer.objects.create(code=code, name=code, owner=owner)
    agent = publish("recommender", ANSWERS)
    assert [row.customer_id for row in worklist(agent, manager)] == ["G", "A", "N"]
    assert [row.customer_id for row in worklist(agent, rep)] == ["A"]


def test_the_summary_holds_the_best_products() -> None:
    agent = publish("recommender", ANSWERS)
    assert get_recipe("recommender").customer_summary(agent, "A") == {
        "items": [
            {"product": "22423", "name": "Cake stand", "score": 0.31},
            {"product": "21212", "name": "Cake cases", "score": 0.2},
        ],
        "source": "model",
        "note": "",
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
    }
