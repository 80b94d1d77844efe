from typing import Any

import pytest
from django.utils import translation

from churn.reasons import reason_entries


def texts(*reasons: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in reason_entries([{"direction": "up", **r} for r in reasons], "GBP")]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            {"code": "overdue", "usual_gap_days": 18.2, "days_since": 74},
            "Usually orders every 18 days; last order 74 days ago.",
        ),
        (
            {"code": "overdue", "usual_gap_days": 1, "days_since": 1},
            "Usually orders every day; last order 1 day ago.",
        ),
        ({"code": "recent_purchase", "days_since": 5}, "Last order 5 days ago."),
        ({"code": "recent_purchase", "days_since": 0}, "Last order less than a day ago."),
        (
            {"code": "spend_down", "recent": 120, "before": 1480.5, "days": 90},
            "Spent 120.00 GBP in the last 90 days, after 1,480.50 GBP in the 90 days before.",
        ),
        (
            {"code": "spend_up", "recent": 1480.5, "before": 0, "days": 90},
            "Spent 1,480.50 GBP in the last 90 days, after 0.00 GBP in the 90 days before.",
        ),
        (
            {"code": "orders_down", "recent": 1, "before": 5, "days": 90},
            "1 order in the last 90 days, after 5 in the 90 days before.",
        ),
        (
            {"code": "orders_up", "recent": 5, "before": 1, "days": 90},
            "5 orders in the last 90 days, after 1 in the 90 days before.",
        ),
        ({"code": "returns", "count": 1, "days": 90}, "1 return in the last 90 days."),
        ({"code": "returns", "count": 2, "days": 90}, "2 returns in the last 90 days."),
        ({"code": "complaints", "count": 1, "days": 90}, "1 complaint in the last 90 days."),
        ({"code": "complaints", "count": 3, "days": 90}, "3 complaints in the last 90 days."),
        ({"code": "regular", "orders": 1, "days": 365}, "Ordered once in the last 365 days."),
        ({"code": "regular", "orders": 12, "days": 365}, "Ordered 12 times in the last 365 days."),
        ({"code": "single_purchase", "days_since": 74}, "Bought only once, 74 days ago."),
        ({"code": "long_silence", "days_since": 200}, "No purchase for 200 days."),
    ],
)
def test_each_code_has_its_sentence(reason: dict[str, Any], text: str) -> None:
    assert texts(reason) == [text]


def test_the_direction_is_said_in_words() -> None:
    up = {"code": "long_silence", "direction": "up", "days_since": 200}
    down = {"code": "regular", "direction": "down", "orders": 12, "days": 365}
    assert [(entry["direction"], entry["effect"]) for entry in reason_entries([up, down], "GBP")] == [
        ("up", "raises the risk"),
        ("down", "lowers the risk"),
    ]


@pytest.mark.parametrize(
    "reason",
    [
        {"code": "moon_phase", "phase": "full"},
        {},
        {"code": "overdue", "days_since": 74},
        {"code": "overdue", "usual_gap_days": None, "days_since": 74},
        {"code": "returns", "count": "many", "days": 90},
        {"code": "recent_purchase", "days_since": float("inf")},
        {"code": "regular", "orders": 3, "days": 365, "direction": "sideways"},
    ],
)
def test_what_cannot_be_said_truthfully_is_left_out(reason: dict[str, Any]) -> None:
    known = {"code": "long_silence", "days_since": 200}
    assert texts(reason, known) == ["No purchase for 200 days."]


def test_numbers_follow_the_readers_language() -> None:
    with translation.override("de"):
        found = texts({"code": "spend_down", "recent": 120, "before": 1480.5, "days": 90})
    assert "1.480,50 GBP" in found[0]
