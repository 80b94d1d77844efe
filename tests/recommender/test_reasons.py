from typing import Any

import pytest

from recommender.reasons import products_named, reason_entries

NAMES = {"85048": "Christmas lights"}
BRANCH = {"code": "same_branch", "customers": 12, "of": 40, "days": 365, "elsewhere": 0.0312}


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
        ({"code": "popular", "customers": 2, "days": None}, "2 customers bought this."),
        (
            {"code": "due", "times": 6, "usual_gap_days": 30.4, "days_since": 34},
            "Bought 6 times, usually every 30 days; last 34 days ago, so it is due.",
        ),
        (
            {"code": "like", "product": "85048", "times": 2, "words": ["christmas", "lights"]},
            "New; resembles Christmas lights by its name (christmas, lights), which was bought 2 times.",
        ),
        (
            {"code": "bought_with", "product": "85048", "customers": 41, "of": 1060},
            "41 of the 1,060 customers who bought Christmas lights bought this too.",
        ),
        (
            {**BRANCH, "attribute": "country", "value": "France"},
            "12 of 40 other customers with country France bought this in the last 365 days; "
            "of everyone else, 3 %.",
        ),
        (
            {**BRANCH, "attribute": "newsletter", "value": "true"},
            "12 of 40 other customers with newsletter bought this in the last 365 days; "
            "of everyone else, 3 %.",
        ),
        (
            {"code": "first_order", "customers": 3, "of": 90, "days": 180},
            "3 of the 90 customers who first bought in the last 180 days began with this.",
        ),
        (
            {"code": "season", "customers": 41, "before": 12, "days": 28},
            "A year ago 41 customers bought this in the 28 days that began on this date, "
            "12 in the 28 days before.",
        ),
        (
            {"code": "rising", "customers": 41, "before": 0, "days": 28},
            "41 customers bought this in the last 28 days, 0 in the 28 days before.",
        ),
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
        {"code": "popular", "customers": 4},
        {"code": "due", "times": 6, "days_since": 34},
        {"code": "due", "times": 6, "days_since": 34, "usual_gap_days": None},
        {"code": "like", "product": "85048", "times": 2, "words": []},
        {**BRANCH, "attribute": "country"},
        {"code": "first_order", "customers": 3, "days": 180},
        {"code": "season", "customers": 41, "days": 28},
        {"code": "rising", "before": 41, "days": 28},
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
