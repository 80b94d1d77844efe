"""Whom to call about a product, what replaces it, what is bought with it: over REST."""

from typing import Any

import pytest

from crm_agents.arms import second_arm
from crm_agents.models import Experiment
from crm_data.models import Product
from recommender.models import ProductAudience, RecommendationRule
from tests.published import publish, publish_products

CUSTOMERS = "/api/v1/products/P1/customers/"
ALIKE = [{"code": "same_category", "category": "Home"}, {"code": "instead", "customers": 12, "orders": 0}]
RELATIONS: dict[str, Any] = {
    "P1": {
        "substitutes": [{"product": "P2", "reasons": ALIKE}],
        "bundles": [{"product": "P3", "orders": 120, "of": 410, "lift": 5.23}],
    },
    "P2": {"orders": 0, "ranked_by": ["category", "price"]},
    "P3": {"orders": 2, "offered": False, "known_by": []},
}
AUDIENCE: dict[str, Any] = {
    "P1": [["X9", 0.4, 2, 5], ["C1", 0.31, 3, 28], ["C2", 0.012, None, None], ["GONE", 0.9, 1, 1]],
    "P2": [["C2", 0.02, None, None]],
}


@pytest.fixture
def live(live_recommender: Any) -> Any:
    publish_products(live_recommender, AUDIENCE, RELATIONS)
    return live_recommender


def test_the_likeliest_customers_of_the_user_come_first(api: Any, live: Any) -> None:
    answer = api.get(CUSTOMERS)
    assert answer.status_code == 200
    never = {"code": "never", "text": "Has not bought it yet."}
    why = {"code": "repeat", "text": "Bought 3 times, about every 30 days; last 28 days ago."}
    assert answer.json() == {
        "agent": "recommender",
        "product": "P1",
        "name": "Candle",
        "category": "Home",
        "price": 2.5,
        "value_of": "price",
        "currency": "GBP",
        "items": [
            {
                "customer_id": "C1",
                "name": "Alder & Sons",
                "owners": ["rep"],
                "chance": 0.31,
                "value": 0.78,
                "times": 3,
                "days_since": 28,
                "reasons": [why],
            },
            {
                "customer_id": "C2",
                "name": "Birch Ltd",
                "owners": ["rep"],
                "chance": 0.012,
                "value": 0.03,
                "times": 0,
                "days_since": None,
                "reasons": [never],
            },
        ],
        "note": "",
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
    }


def test_a_manager_sees_everybody_but_who_is_gone(manager_api: Any, live: Any) -> None:
    items = manager_api.get(CUSTOMERS, {"limit": 2}).json()["items"]
    assert [item["customer_id"] for item in items] == ["X9", "C1"]


def test_shards_are_merged(manager_api: Any, live: Any) -> None:
    publish_products(live, {"P1": [["C2", 0.35, None, None]]}, {}, shard=1)
    found = [(item["customer_id"], item["chance"]) for item in manager_api.get(CUSTOMERS).json()["items"]]
    assert found[:3] == [("X9", 0.4), ("C2", 0.35), ("C1", 0.31)]


def test_a_margin_is_the_value_where_the_cost_is_known(api: Any, live: Any) -> None:
    Product.objects.filter(code="P1").update(cost="1.50")
    body = api.get(CUSTOMERS).json()
    assert (body["value_of"], body["items"][0]["value"]) == ("margin", 0.31)


def test_the_users_own_lists_name_customers_whom_the_shortlist_leaves_out(
    api: Any, manager_api: Any, live: Any
) -> None:
    """P3 is in C1's list; the product's best customers are all foreign to the rep."""
    publish_products(live, {"P3": [["X9", 0.5, None, None]]}, {})
    url = "/api/v1/products/P3/customers/"
    (item,) = api.get(url).json()["items"]
    assert (item["customer_id"], item["chance"], item["times"]) == ("C1", 0.2, None)
    assert item["reasons"][0]["text"] == "Customers who bought Candle bought this too (12 customers)."
    assert [each["customer_id"] for each in manager_api.get(url).json()["items"]] == ["X9"]


def test_nobody_of_a_control_group_is_called(manager_api: Any, live: Any) -> None:
    salts = (
        Experiment(agent=live, kind="control", share=0.5, salt=str(n), horizon_days=28) for n in range(99)
    )
    chosen = next(each for each in salts if second_arm(each, ["C1", "C2", "X9"]) == [True, False, False])
    chosen.save()
    items = manager_api.get(CUSTOMERS).json()["items"]
    assert [item["customer_id"] for item in items] == ["X9", "C2"]


def test_a_rule_that_excludes_the_product_leaves_nobody(api: Any, live: Any) -> None:
    rule = RecommendationRule.objects.create(action="exclude", product="P1", attribute="country", value="UK")
    assert [item["customer_id"] for item in api.get(CUSTOMERS).json()["items"]] == ["C2"]
    RecommendationRule.objects.filter(pk=rule.pk).update(product="", category="Home", attribute="", value="")
    body = api.get(CUSTOMERS).json()
    assert body["items"] == []
    assert body["note"] == ("A rule excludes this product from what is recommended, so nobody is named.")
    RecommendationRule.objects.create(action="pin", product="P1")
    assert len(api.get(CUSTOMERS).json()["items"]) == 2


def test_a_product_never_sold_has_callers_and_says_by_what(api: Any, live: Any) -> None:
    body = api.get("/api/v1/products/P2/customers/").json()
    assert [item["customer_id"] for item in body["items"]] == ["C1", "C2"]  # C1's own list has it too
    assert body["note"] == (
        "Nobody has bought it yet: customers are ranked by what is known of it (category, price)."
    )


def test_empty_answers_say_why(api: Any, manager_api: Any, live: Any) -> None:
    said = {
        path: manager_api.get(f"/api/v1/products/{path}/").json()["note"]
        for path in ("P3/customers", "P2/substitutes", "P3/substitutes", "P2/bundles", "P3/bundles")
    }
    assert said == {
        "P3/customers": "The product was not on sale when the scores were made, so nobody was ranked.",
        "P2/substitutes": "No product on sale is enough like it.",
        "P3/substitutes": "Neither name, category nor price of it is known, so nothing can be found that is "
        "like it.",
        "P2/bundles": "Nobody has bought it yet.",
        "P3/bundles": "It stands in 2 orders only, too few to say what goes with it.",
    }


def test_substitutes_and_bundles_come_with_their_facts(api: Any, live: Any) -> None:
    (substitute,) = api.get("/api/v1/products/P1/substitutes/").json()["items"]
    assert (substitute["product"], substitute["name"], substitute["price"]) == ("P2", "Lantern", 9.0)
    assert [reason["text"] for reason in substitute["reasons"]] == [
        "Same category: Home.",
        "12 customers bought both, never in one order.",
    ]
    (bundle,) = api.get("/api/v1/products/P1/bundles/").json()["items"]
    assert (bundle["product"], bundle["orders"], bundle["of"], bundle["lift"]) == ("P3", 120, 410, 5.23)
    assert bundle["reasons"] == [
        {
            "code": "together",
            "text": "In 120 of the 410 orders with it (29 %), 5.2 times as often as by chance.",
        }
    ]


def test_what_is_sold_no_more_is_not_offered_instead(api: Any, live: Any) -> None:
    Product.objects.filter(code="P2").update(available=False)
    assert api.get("/api/v1/products/P1/substitutes/").json()["items"] == []
    Product.objects.filter(code="P3").delete()
    assert api.get("/api/v1/products/P1/bundles/").json()["items"] == []


@pytest.mark.parametrize("what", ["customers", "substitutes", "bundles"])
def test_an_unknown_product_is_a_problem_that_names_it(api: Any, live: Any, what: str) -> None:
    answer = api.get(f"/api/v1/products/P77/{what}/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == "There is no product 'P77'. Ask by the number that the CRM gives it."


@pytest.mark.parametrize("what", ["customers", "substitutes", "bundles"])
def test_without_scores_it_is_said_why(api: Any, products: Any, what: str) -> None:
    body = api.get(f"/api/v1/products/P1/{what}/").json()
    assert (body["items"], body["note"]) == ([], "This agent has not been trained yet.")


def test_scores_from_before_products_were_looked_at_say_so(api: Any, live_recommender: Any) -> None:
    note = "The live scores were made before products were looked at; the next scoring tells."
    assert api.get(CUSTOMERS).json()["note"] == note


def test_a_product_newer_than_the_scores_says_so(api: Any, live: Any) -> None:
    Product.objects.create(code="P4", name="Rake")
    note = "The scores of Dec. 9, 2011 do not know this product; the next scoring does."
    assert api.get("/api/v1/products/P4/customers/").json()["note"] == note


@pytest.mark.parametrize("limit", ["0", "201", "x"])
def test_the_number_of_customers_has_a_cap(api: Any, live: Any, limit: str) -> None:
    answer = api.get(CUSTOMERS, {"limit": limit})
    assert answer.status_code == 400
    assert [(error["field"], error["value"]) for error in answer.json()["errors"]] == [("limit", limit)]


def test_an_unknown_parameter_is_refused(api: Any, live: Any) -> None:
    assert api.get("/api/v1/products/P1/bundles/", {"limit": 3}).status_code == 400


def test_the_same_answer_is_not_sent_twice(api: Any, live: Any) -> None:
    for what in ("customers", "substitutes", "bundles"):
        url = f"/api/v1/products/P1/{what}/"
        tag = api.get(url).headers["ETag"]
        assert api.get(url, headers={"If-None-Match": tag}).status_code == 304
        publish_again = {"If-None-Match": tag}
        publish("recommender", {"C1": (0.4, {"source": "model", "items": []})})
        assert api.get(url, headers=publish_again).status_code == 200
        live.refresh_from_db()
        publish_products(live, AUDIENCE, RELATIONS)


def test_it_needs_the_permission_to_see_scores(client_of: Any, live: Any) -> None:
    from django.contrib.auth.models import User

    nobody = client_of(User.objects.create_user("nobody"))
    assert nobody.get(CUSTOMERS).status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_customers(
    manager_api: Any, live: Any, queries_of: Any
) -> None:
    one = queries_of(lambda: manager_api.get(CUSTOMERS, {"limit": 1}))
    assert queries_of(lambda: manager_api.get(CUSTOMERS, {"limit": 3})) == one


def test_what_an_own_list_tells_of_purchases_is_kept(api: Any, live: Any) -> None:
    ProductAudience.objects.filter(key="P1").update(payload={"customers": [["X9", 0.4, 2, 5]]})
    (item,) = api.get(CUSTOMERS).json()["items"]
    assert (item["customer_id"], item["chance"]) == ("C1", 0.31)
    assert (item["times"], item["days_since"]) == (3, 28)


def test_reasons_that_hold_for_every_customer_are_not_repeated(
    manager_api: Any, live_recommender: Any
) -> None:
    popular = {"code": "popular", "direction": "up", "customers": 300, "days": 28}
    category = {"code": "category", "direction": "up", "category": "Home", "times": 4}
    lists = {
        "C1": [category, popular],
        "C2": [popular],
    }
    payloads: dict[str, Any] = {
        customer: (0.3, {"source": "model", "items": [{"product": "P1", "score": 0.3, "reasons": reasons}]})
        for customer, reasons in lists.items()
    }
    agent = publish("recommender", payloads)
    publish_products(agent, {"P1": [["C1", 0.4, None, None], ["C2", 0.3, None, None]]}, {"P1": {}})
    items = manager_api.get(CUSTOMERS).json()["items"]
    assert [[reason["code"] for reason in item["reasons"]] for item in items] == [["category"], ["popular"]]
