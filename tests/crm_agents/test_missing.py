"""Facts of what is missing become sentences when somebody reads them."""

from typing import Any

import pytest
from django.utils.translation import override

from crm_agents.missing import missing_entries, missing_sentences


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        ({"code": "no_events"}, "There are no events; at least one customer's purchases are needed."),
        (
            {"code": "customers", "have": 1, "need": 50},
            "1 customer with purchases; at least 50 are needed.",
        ),
        (
            {"code": "customers", "have": 12, "need": 50},
            "12 customers with purchases; at least 50 are needed.",
        ),
        ({"code": "purchases", "have": 1, "need": 500}, "1 purchase; at least 500 are needed."),
        ({"code": "purchases", "have": 1212, "need": 5000}, "1,212 purchases; at least 5,000 are needed."),
        ({"code": "days", "have": 1, "need": 210}, "1 day of purchase history; at least 210 are needed."),
        ({"code": "days", "have": 3, "need": 210}, "3 days of purchase history; at least 210 are needed."),
        (
            {"code": "early_days", "have": 1, "need": 45},
            "1 day of history before the validation window; at least 45 are needed.",
        ),
        (
            {"code": "early_days", "have": 0, "need": 45},
            "0 days of history before the validation window; at least 45 are needed.",
        ),
        (
            {"code": "no_examples"},
            "Nothing to learn from lies before the validation window; a longer history is needed.",
        ),
        ({"code": "inactive", "days": 365}, "No purchase in the last 365 days."),
    ],
)
def test_every_code_has_its_sentence(fact: dict[str, Any], sentence: str) -> None:
    assert missing_sentences([fact]) == [sentence]
    assert missing_entries([fact]) == [{"code": fact["code"], "text": sentence}]


@pytest.mark.parametrize("fact", [{"code": "weather"}, {"code": "purchases"}])
def test_a_code_without_words_or_figures_is_still_told(fact: dict[str, Any]) -> None:
    assert missing_sentences([fact]) == [f"More data is needed ({fact['code']})."]


def test_the_language_is_that_of_the_reader() -> None:
    fact = {"code": "purchases", "have": 212, "need": 500}
    with override("zh-hans"):
        assert missing_sentences([fact]) == ["只有 212 次购买；至少需要 500 次。"]
