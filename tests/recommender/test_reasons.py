from typing import Any

import pytest

from recommender.reasons import products_named, reason_entries

NAMES = {"85048": "Christmas lights"}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            {"code": "repeat", "times": 6, "usual_gap_days": 30.4, "days_since": 35},
            "Bought 6 times, about every 30 days; last 35 days ago.",
        ),
        (
            {"code": "repeat", "times": 2, "usual_gap_days": None, "days_since": 1},
            "Bought 2 times; last 1 day ago.",
        ),
        (
            {"code": "repeat", "times": 1, "usual_gap_days": None, "days_since": 35},
            "Bought once, 35 days ago.",
        ),
        (
            {"code": "repeat", "times": 1204, "usual_gap_days": 1, "days_since": 0},
            "Bought 1,204 times, about every day; last less than a day ago.",
        ),
        (
            {"code": "bought_with", "product": "85048", "customers": 41},
            "Customers who bought Christmas lights bought this too (41 customers).",
        ),
        (
            {"code": "bought_with", "product": "85048", "customers": 1},
            "Customers who bought Christmas lights bought this too (1 customer).",
        ),
        (
            {"code": "bought_with", "product": "gone", "customers": 2},
            "Customers who bought gone bought this too (2 customers).",
        ),
        ({"code": "category", "category": "Lights", "times": 4}, "Bought from Lights 4 times."),
        ({"code": "category", "category": "Lights", "times": 1}, "Bought from Lights once."),
        (
            {"code": "popular", "customers": 41, "days": 28},
            "41 customers bought this in the last 28 days.",
        ),
        ({"code": "popular", "customers": 1, "days": 28}, "1 customer bought this in the last 28 days."),
    ],
)
def test_each_code_has_its_sentence(reason: dict[str, Any], text: str) -> None:
    assert reason_entries([reason], NAMES) == [{"code": reason["code"], "text": text}]


@pytest.mark.parametrize(
    "reason",
    [
        {"code": "moon_phase"},
        {},
        {"code": "repeat", "times": 6},
        {"code": "repeat", "times": None, "days_since": 3},
        {"code": "bought_with", "customers": 41},
        {"code": "popular", "customers": "many", "days": 28},
    ],
)
def test_what_cannot_be_said_truthfully_is_left_out(reason: dict[str, Any]) -> None:
    known = {"code": "category", "category": "Lights", "times": 4}
    entries = reason_entries([reason, known], NAMES)
    assert entries == [{"code": "category", "text": "Bought from Lights 4 times."}]


def test_the_products_that_sentences_speak_of_are_found() -> None:
    reasons: list[dict[str, Any]] = [
        {"code": "repeat", "times": 6, "days_since": 35},
        {"code": "bought_with", "product": "85048", "customers": 41},
        {"code": "bought_with", "product": None, "customers": 41},
    ]
    assert products_named(reasons) == ["85048"]
