"""The gate's figures become sentences when somebody reads them."""

from typing import Any

import pytest
from django.utils.translation import override

from crm_agents.verdicts import comparison_entries, verdict_sentences
from tests.published import TOO_LOW

BOUND: dict[str, Any] = {
    "metric": "ece",
    "model": 0.15,
    "sign": "<=",
    "required": 0.15,
    "passed": True,
    "baseline": None,
    "baseline_value": None,
}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            TOO_LOW,
            "NDCG@10 0.1000 is not enough to beat 0.3000 (Customer's own most frequent products); "
            "needed: at least 0.3030.",
        ),
        (
            {**TOO_LOW, "model": 0.31, "sign": ">", "required": 0.3, "passed": True},
            "NDCG@10 0.3100 beats 0.3000 (Customer's own most frequent products); needed: more than 0.3000.",
        ),
        (
            {**TOO_LOW, "metric": "brier", "baseline": "my_rule", "sign": "<", "required": 0.05},
            "Brier score 0.1000 is not enough to beat 0.3000 (my rule); needed: less than 0.0500.",
        ),
        (BOUND, "Calibration error 0.1500 is good enough; needed: at most 0.15."),
        (
            {**BOUND, "model": 0.2, "passed": False},
            "Calibration error 0.2000 is not good enough; needed: at most 0.15.",
        ),
        (
            {**BOUND, "model": None, "passed": False},
            "The evaluation has no Calibration error of this: This version.",
        ),
        (
            {**TOO_LOW, "model": None},
            "The evaluation has no NDCG@10 of this: This version.",
        ),
        (
            {**TOO_LOW, "baseline_value": None, "required": None},
            "The evaluation has no NDCG@10 of this: Customer's own most frequent products.",
        ),
    ],
)
def test_every_comparison_is_a_sentence(facts: dict[str, Any], sentence: str) -> None:
    assert verdict_sentences([facts]) == [sentence]


SURE: dict[str, Any] = {**TOO_LOW, "sign": ">", "required": 0.0, "bound": 0.01, "sure": True, "passed": True}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (SURE, "The lead in NDCG@10 is sure, at the least +0.0100: Customer's own most frequent products."),
        (
            {**SURE, "bound": -0.02, "passed": False},
            "The lead in NDCG@10 may be chance, at the least -0.0200: Customer's own most frequent products.",
        ),
        (
            {**SURE, "bound": None, "passed": False},
            "The evaluation does not tell how sure the lead in NDCG@10 is: "
            "Customer's own most frequent products.",
        ),
    ],
)
def test_a_condition_on_surety_is_a_sentence(facts: dict[str, Any], sentence: str) -> None:
    assert verdict_sentences([facts]) == [sentence]


def test_programs_get_the_figures_beside_the_words() -> None:
    assert comparison_entries([BOUND]) == [
        {**BOUND, "text": "Calibration error 0.1500 is good enough; needed: at most 0.15."}
    ]


def test_the_language_is_that_of_the_reader() -> None:
    with override("zh-hans"):
        assert verdict_sentences([TOO_LOW]) == [
            "NDCG@10：0.1000，不足以优于 0.3000（客户自己最常买的产品）；要求：不低于 0.3030。"
        ]
