from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm_data.models import Customer, Interaction, Product
from tests.published import publish

URL = "/api/v1/customers/C1/recommendations/"


def test_recommendations_come_best_first_with_reasons_as_text_and_code(
    api: Any, live_recommender: Any
) -> None:
    answer = api.get(URL, {"limit": 2})
    assert answer.status_code == 200
    assert answer.json() == {
        "agent": "recommender",
        "customer_id": "C1",
        "source": "model",
        "note": "",
        "items": [
            {
                "product": "P1",
                "name": "Candle",
                "category": "Home",
                "price": 2.5,
                "available": True,
                "score": 0.31,
                "value": 0.775,
                "source": "model",
                "reasons": [
                    {"code": "repeat", "text": "Bought 3 times, about every 30 days; last 28 days ago."}
                ],
                "feedback": None,
            },
            {
                "product": "P3",
                "name": "Spade",
                "category": "Garden",
                "price": None,
                "available": True,
                "score": 0.2,
                "value": None,
                "source": "model",
                "reasons": [
                    {
                        "code": "bought_with",
                        "text": "Customers who bought Candle bought this too (12 customers).",
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


def test_what_everyone_buys_is_labelled_as_such(api: Any, live_recommender: Any) -> None:
    body = api.get("/api/v1/customers/C2/recommendations/").json()
    assert body["source"] == "popularity"
    assert body["note"] == "Popular with everyone; this customer has no purchases yet."


def test_a_category_is_chosen_before_the_limit_cuts(api: Any, live_recommender: Any) -> None:
    body = api.get(URL, {"category": "Home", "limit": 2}).json()
    assert [item["product"] for item in body["items"]] == ["P1", "P2"]


def test_an_unpublished_agent_answers_with_the_reason(api: Any, customers: Any) -> None:
    assert api.get(URL).json() == {
        "agent": "recommender",
        "customer_id": "C1",
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


@pytest.mark.parametrize("limit", ["0", "21", "-1", "x", "1e3", "", "9" * 40])
def test_the_number_of_products_has_a_cap(api: Any, live_recommender: Any, limit: str) -> None:
    answer = api.get(URL, {"limit": limit})
    assert answer.status_code == 400
    assert [(error["field"], error["value"]) for error in answer.json()["errors"]] == [("limit", limit)]


def test_a_foreign_customers_recommendations_are_404(api: Any, live_recommender: Any) -> None:
    assert api.get("/api/v1/customers/X9/recommendations/").status_code == 404


def test_the_same_answer_is_not_sent_twice(api: Any, live_recommender: Any) -> None:
    first = api.get(URL)
    again = api.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "private, no-cache"


def test_a_new_set_of_scores_has_a_new_tag(api: Any, live_recommender: Any) -> None:
    first = api.get(URL)
    publish("recommender", {"C1": (0.4, {"source": "model", "items": []})})
    again = api.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json()["version"] == 2


def test_feedback_and_other_limits_change_the_tag(api: Any, live_recommender: Any) -> None:
    tag = api.get(URL).headers["ETag"]
    assert api.get(URL, {"limit": 1}).headers["ETag"] != tag
    given = {"agent": "recommender", "customer_id": "C1", "item": "P1", "verdict": "dismissed"}
    assert api.post("/api/v1/feedback/", given, format="json").status_code == 201
    again = api.get(URL, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.json()["items"][0]["feedback"]["verdict"] == "dismissed"


def test_a_tag_of_another_user_opens_no_foreign_customer(
    api: Any, manager_api: Any, live_recommender: Any
) -> None:
    foreign = "/api/v1/customers/X9/recommendations/"
    tag = manager_api.get(foreign).headers["ETag"]
    assert api.get(foreign, headers={"If-None-Match": tag}).status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_products(
    api: Any, live_recommender: Any, queries_of: Any
) -> None:
    assert queries_of(lambda: api.get(URL, {"limit": 1})) == queries_of(lambda: api.get(URL, {"limit": 3}))


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({"price_min": "2.5"}, ["P1", "P2"]),
        ({"price_max": "5"}, ["P1"]),
        ({"category": "Home", "order": "value"}, ["P2", "P1"]),
        ({"in_stock": "true"}, ["P1", "P3"]),
        ({"diversity": "1", "limit": "2"}, ["P1", "P3"]),
        ({"not_bought_days": "30"}, ["P3", "P2"]),
    ],
)
def test_the_list_is_narrowed_and_reordered(
    api: Any, live_recommender: Any, query: dict[str, str], left: list[str]
) -> None:
    Product.objects.filter(code="P2").update(available="in_stock" not in query)
    Interaction.objects.create(
        customer=Customer.objects.get(code="C1"),
        product=Product.objects.get(code="P1"),
        kind="purchase",
        at=timezone.now() - timedelta(days=2),
    )
    if "order" in query:
        publish("recommender", {"C1": (0.31, {"source": "model", "items": NEARLY_EQUAL})})
    body = api.get(URL, query).json()
    assert [item["product"] for item in body["items"]] == left


NEARLY_EQUAL = [
    {"product": "P1", "score": 0.2, "reasons": []},
    {"product": "P2", "score": 0.1, "reasons": []},
]


def test_an_empty_answer_names_the_filter_that_emptied_it(api: Any, live_recommender: Any) -> None:
    body = api.get(URL, {"category": "Home", "price_max": "1"}).json()
    assert body["items"] == []
    assert body["note"].startswith("Of 2 recommended products that were left, none costs 1.00 GBP or less.")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"price_min": "-1"}, "price_min"),
        ({"price_max": "nan"}, "price_max"),
        ({"price_min": "5", "price_max": "4"}, "price_max"),
        ({"in_stock": "perhaps"}, "in_stock"),
        ({"not_bought_days": "0"}, "not_bought_days"),
        ({"not_bought_days": "9" * 20}, "not_bought_days"),
        ({"diversity": "1.1"}, "diversity"),
        ({"order": "luck"}, "order"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_wish_is_refused_by_field_and_value(
    api: Any, live_recommender: Any, query: dict[str, str], field: str
) -> None:
    answer = api.get(URL, query)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == (field, query[field])
    assert error["message"]
