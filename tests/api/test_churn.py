from typing import Any

import pytest

from churn.models import ChurnScore

WORKLIST = "/api/v1/churn/"


def test_a_customers_risk_comes_with_trend_and_reasons(api: Any, live_churn: Any) -> None:
    answer = api.get("/api/v1/customers/C1/churn/")
    assert answer.status_code == 200
    assert answer.json() == {
        "agent": "churn",
        "customer_id": "C1",
        "probability": 0.91,
        "tier": "high",
        "tier_label": "high",
        "trend": "rising",
        "trend_label": "risk rising",
        "reasons": [
            {
                "code": "overdue",
                "direction": "up",
                "effect": "raises the risk",
                "text": "Usually orders every 20 days; last order 61 days ago.",
            }
        ],
        "missing": [],
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
        "refreshed_at": None,
        "feedback": None,
    }


def test_a_customer_without_an_answer_is_told_why(api: Any, customers: Any) -> None:
    body = api.get("/api/v1/customers/C1/churn/").json()
    assert (body["probability"], body["tier"]) == (None, "unknown")
    assert body["missing"] == [{"code": "not_trained", "text": "This agent has not been trained yet."}]


def test_a_foreign_customers_risk_is_404(api: Any, live_churn: Any) -> None:
    assert api.get("/api/v1/customers/X9/churn/").status_code == 404


def test_the_worklist_holds_own_customers_highest_risk_first(api: Any, live_churn: Any) -> None:
    body = api.get(WORKLIST).json()
    assert [(row["customer_id"], row["probability"]) for row in body["results"]] == [
        ("C1", 0.91),
        ("C2", 0.2),
    ]
    assert body["results"][1] == {
        "customer_id": "C2",
        "probability": 0.2,
        "tier": "low",
        "tier_label": "low",
        "trend": "steady",
        "trend_label": "steady",
        "reasons": [],
        "missing": [],
        "name": "Birch Ltd",
        "url": "http://testserver/api/v1/customers/C2/",
    }
    assert body["next"] is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["X9", "C1", "C2"]),
        ({"tier": "high"}, ["X9", "C1"]),
        ({"tier": "medium"}, []),
        ({"trend": "steady"}, ["C2"]),
        ({"min_probability": "0.95"}, ["X9"]),
        ({"min_probability": "0.91", "tier": "high"}, ["X9", "C1"]),
    ],
)
def test_the_worklist_is_filtered(manager_api: Any, live_churn: Any, asked: Any, found: list[str]) -> None:
    assert [row["customer_id"] for row in manager_api.get(WORKLIST, asked).json()["results"]] == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tier", "hihg"),
        ("tier", "unknown"),
        ("trend", "up"),
        ("min_probability", "nan"),
        ("min_probability", "1.1"),
        ("min_probability", "1e999"),
        ("cursor", "x"),
        ("cursor", "W10"),
        ("cursor", "WyJhIiwgImIiXQ"),
    ],
)
def test_a_wrong_filter_is_named(api: Any, live_churn: Any, field: str, value: str) -> None:
    answer = api.get(WORKLIST, {field: value})
    assert answer.status_code == 400
    assert [(error["field"], error["value"]) for error in answer.json()["errors"]] == [(field, value)]


def test_pages_go_through_equal_risks(manager_api: Any, live_churn: Any) -> None:
    ChurnScore.objects.all().delete()
    ChurnScore.objects.bulk_create(
        [
            ChurnScore(
                scoring=live_churn.live_scoring, customer_id=f"T{n}", score=0.5, tier="medium", trend="steady"
            )
            for n in range(5)
        ]
    )
    url, seen = f"{WORKLIST}?limit=2", []
    while url:
        page = manager_api.get(url).json()
        seen += [row["customer_id"] for row in page["results"]]
        url = page["next"]
    assert seen == ["T4", "T3", "T2", "T1", "T0"]


def test_customers_without_an_answer_are_not_in_the_worklist(manager_api: Any, live_churn: Any) -> None:
    ChurnScore.objects.update(score=None, tier="unknown", trend="unknown")
    assert manager_api.get(WORKLIST).json() == {"results": [], "next": None}


def test_nothing_published_is_an_empty_worklist(api: Any, customers: Any) -> None:
    assert api.get(WORKLIST).json() == {"results": [], "next": None}


def test_an_unchanged_worklist_is_not_sent_twice(api: Any, live_churn: Any) -> None:
    tag = api.get(WORKLIST).headers["ETag"]
    assert api.get(WORKLIST, headers={"If-None-Match": tag}).status_code == 304


def test_a_customer_who_changed_hands_changes_the_worklist(
    api: Any, live_churn: Any, other_rep: Any, customers: Any
) -> None:
    tag = api.get(WORKLIST).headers["ETag"]
    customers[0].owner = other_rep
    customers[0].save()
    again = api.get(WORKLIST, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert [row["customer_id"] for row in again.json()["results"]] == ["C2"]


def test_the_number_of_queries_does_not_grow_with_the_rows(
    manager_api: Any, live_churn: Any, queries_of: Any
) -> None:
    one, three = (queries_of(lambda n=n: manager_api.get(WORKLIST, {"limit": n})) for n in (1, 3))
    assert one == three
