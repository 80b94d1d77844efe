import pytest
from django.utils import translation

from crm_agents.words import ago, days, every, money, number, percent, setting, times


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.001, "< 1 %"),
        (0.009, "< 1 %"),
        (0.01, "1 %"),
        (0.126, "13 %"),
        (0.99, "99 %"),
        (0.991, "> 99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_probability_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts_have_their_plural() -> None:
    assert [times(1), times(2), times(1204)] == ["once", "2 times", "1,204 times"]
    assert [days(0), days(1), days(1.6)] == ["0 days", "1 day", "2 days"]
    assert [every(0.2), every(1.4), every(2)] == ["every day", "every day", "every 2 days"]
    assert [ago(0.4), ago(1), ago(74)] == ["less than a day ago", "1 day ago", "74 days ago"]


def test_numbers_follow_the_readers_language() -> None:
    assert [number(1204), number(0.31, 3), money(1204.5, "GBP"), money(3, "")] == [
        "1,204",
        "0.310",
        "1,204.50 GBP",
        "3.00",
    ]
    with translation.override("de"):
        assert [number(1204), money(1204.5, "EUR")] == ["1.204", "1.204,50 EUR"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        ([], "–"),
        (0, "0"),
        (False, "False"),
        (["recency_rule", "base_rate"], "recency_rule, base_rate"),
        ({"duplicates": "keep", "quantile": 0.999}, "duplicates keep, quantile 0.999"),
    ],
)
def test_a_setting_is_written_without_the_marks_of_code(value: object, text: str) -> None:
    assert setting(value) == text
