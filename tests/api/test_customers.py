from typing import Any

import pytest

from crm_data.models import Customer
from tests.published import publish


def test_a_rep_lists_own_customers_only(api: Any, customers: Any) -> None:
    answer = api.get("/api/v1/customers/")
    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {"id": "C1", "name": "Alder & Sons", "url": "http://testserver/api/v1/customers/C1/"},
            {"id": "C2", "name": "Birch Ltd", "url": "http://testserver/api/v1/customers/C2/"},
        ],
        "next": None,
    }


def test_a_manager_lists_every_customer(manager_api: Any, customers: Any) -> None:
    assert [row["id"] for row in manager_api.get("/api/v1/customers/").json()["results"]] == [
        "C1",
        "C2",
        "X9",
    ]


@pytest.mark.parametrize(
    ("search", "found"), [("birch", ["C2"]), ("c1", ["C1"]), ("oak", []), ("", ["C1", "C2"]), ("%", [])]
)
def test_the_search_looks_into_names_and_ids(api: Any, customers: Any, search: str, found: list[str]) -> None:
    answer = api.get("/api/v1/customers/", {"search": search})
    assert [row["id"] for row in answer.json()["results"]] == found


def test_pages_follow_one_another_without_gap_or_repeat(api: Any, rep: Any) -> None:
    Customer.objects.bulk_create([Customer(code=f"K{n:03d}", name="", owner=rep) for n in range(7)])
    url, seen, sizes = "/api/v1/customers/?limit=3&search=K", [], []
    while url:
        page = api.get(url).json()
        sizes.append(len(page["results"]))
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert sizes == [3, 3, 1]
    assert seen == [f"K{n:03d}" for n in range(7)]


def test_a_row_added_before_the_cursor_shifts_nothing(api: Any, rep: Any, customers: Any) -> None:
    first = api.get("/api/v1/customers/", {"limit": 1}).json()
    Customer.objects.filter(code="C1").delete()
    assert [row["id"] for row in api.get(first["next"]).json()["results"]] == ["C2"]


def test_the_page_has_a_cap(api: Any, customers: Any) -> None:
    answer = api.get("/api/v1/customers/", {"limit": "201"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "limit", "value": "201", "message": "Ensure this value is less than or equal to 200."}
    ]


def test_a_misspelt_filter_is_refused(api: Any, customers: Any) -> None:
    answer = api.get("/api/v1/customers/", {"serach": "x"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "serach", "value": "x", "message": "Not known here. Known are: cursor, limit, search."}
    ]


def test_the_number_of_queries_does_not_grow_with_the_rows(
    api: Any, rep: Any, customers: Any, queries_of: Any
) -> None:
    before = queries_of(lambda: api.get("/api/v1/customers/"))
    Customer.objects.bulk_create([Customer(code=f"K{n}", name="K", owner=rep) for n in range(40)])
    assert queries_of(lambda: api.get("/api/v1/customers/")) == before


def test_a_customer_shows_record_profile_and_agents(
    api: Any, customers: Any, live_churn: Any, live_recommender: Any
) -> None:
    answer = api.get("/api/v1/customers/C1/")
    assert answer.status_code == 200
    body = answer.json()
    assert {key: body[key] for key in ("id", "name", "email", "since", "owners", "attributes")} == {
        "id": "C1",
        "name": "Alder & Sons",
        "email": "a@example.org",
        "since": None,
        "owners": ["rep"],
        "attributes": {"country": "UK"},
    }
    assert body["profile"]["profile"]["orders"] == 0
    assert body["agents"]["churn"] == {
        "probability": 0.91,
        "tier": "high",
        "trend": "rising",
        "missing": [],
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
    }
    assert [item["product"] for item in body["agents"]["recommender"]["items"]] == ["P1", "P3", "P2"]


def test_without_live_scores_the_agents_say_why(api: Any, customers: Any) -> None:
    body = api.get("/api/v1/customers/C1/").json()
    assert body["agents"]["churn"]["probability"] is None
    assert body["agents"]["churn"]["missing"] == [
        {"code": "not_trained", "text": "This agent has not been trained yet."}
    ]


def test_a_foreign_customer_and_none_at_all_get_the_same_answer(api: Any, customers: Any) -> None:
    foreign, absent = api.get("/api/v1/customers/X9/"), api.get("/api/v1/customers/X8/")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.headers["Content-Type"] == "application/problem+json"
    assert {**foreign.json(), "instance": ""} == {**absent.json(), "instance": ""}
    assert foreign.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here that you may see.",
        "instance": "/api/v1/customers/X9/",
        "errors": [],
    }


def test_an_unchanged_customer_is_not_sent_twice(
    api: Any, customers: Any, live_churn: Any, live_recommender: Any
) -> None:
    url = "/api/v1/customers/C1/"
    tag = api.get(url).headers["ETag"]
    assert api.get(url, headers={"If-None-Match": tag}).status_code == 304
    publish("churn", {"C1": (0.3, {"reasons": []})})
    again = api.get(url, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.json()["agents"]["churn"]["probability"] == 0.3
