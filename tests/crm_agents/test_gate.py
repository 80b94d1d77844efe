import math

import pytest

from crm_agents.recipes import Gate
from crm_agents.services.gate import judge, number

GATE = Gate(metric="ndcg@10", baselines=("personal_top", "popularity"), margin=0.02)


def evaluation(
    model: object, personal: object = 0.3, popular: object = 0.1, **also: object
) -> dict[str, object]:
    rivals = {"personal_top": {"ndcg@10": personal}, "popularity": {"ndcg@10": popular}}
    return {"metrics": {"model": {"ndcg@10": model, **also}, "baselines": rivals}}


def test_a_version_passes_that_beats_every_baseline_by_the_margin() -> None:
    judgement = judge(GATE, evaluation(0.31))

    assert judgement.passed
    assert judgement.reason == (
        "ndcg@10 0.3100 beats personal_top 0.3000: needed at least 0.3060 (margin 2.0%).\n"
        "ndcg@10 0.3100 beats popularity 0.1000: needed at least 0.1020 (margin 2.0%)."
    )


def test_beating_one_baseline_is_not_enough() -> None:
    judgement = judge(GATE, evaluation(0.305))

    assert not judgement.passed
    assert [comparison.passed for comparison in judgement.comparisons] == [False, True]
    assert judgement.comparisons[0].reason == (
        "ndcg@10 0.3050 does not beat personal_top 0.3000: needed at least 0.3060 (margin 2.0%)."
    )


def test_equal_is_not_better_even_without_a_margin() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",))

    assert not judge(gate, evaluation(0.1)).passed
    assert judge(gate, evaluation(0.1001)).passed


def test_the_margin_asks_for_more_of_a_negative_baseline_too() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",), margin=0.1)

    assert not judge(gate, evaluation(-0.095, popular=-0.1)).passed
    assert judge(gate, evaluation(-0.09, popular=-0.1)).passed


def test_a_lower_value_wins_where_lower_is_better() -> None:
    gate = Gate(metric="brier", baselines=("rule",), margin=0.1, higher_is_better=False)
    metrics = {"metrics": {"model": {"brier": 0.18}, "baselines": {"rule": {"brier": 0.2}}}}
    worse = {"metrics": {"model": {"brier": 0.19}, "baselines": {"rule": {"brier": 0.2}}}}

    assert (
        judge(gate, metrics).reason == "brier 0.1800 beats rule 0.2000: needed at most 0.1800 (margin 10.0%)."
    )
    assert judge(gate, metrics).passed
    assert not judge(gate, worse).passed


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.9", True])
def test_a_metric_that_is_no_finite_number_fails(value: object) -> None:
    assert not judge(GATE, evaluation(value)).passed
    assert judge(GATE, evaluation(value)).comparisons[0].reason == "ndcg@10 of the model is missing."
    assert not judge(GATE, evaluation(0.9, personal=value)).passed
    assert judge(GATE, evaluation(0.9, personal=value)).comparisons[0].reason == (
        "ndcg@10 of personal_top is missing."
    )


@pytest.mark.parametrize("broken", [{}, {"metrics": None}, {"metrics": {"model": {"ndcg@10": 0.9}}}])
def test_an_evaluation_without_figures_fails(broken: dict[str, object]) -> None:
    assert not judge(GATE, broken).passed


def test_further_conditions_bound_the_models_own_metrics() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",), also={"ece": ("<=", 0.15)})

    assert judge(gate, evaluation(0.9, ece=0.15)).comparisons[1].reason == "ece 0.1500 is <= 0.15."
    assert judge(gate, evaluation(0.9, ece=0.15)).passed
    assert judge(gate, evaluation(0.9, ece=0.2)).comparisons[1].reason == "ece 0.2000 is not <= 0.15."
    assert not judge(gate, evaluation(0.9, ece=0.2)).passed
    assert not judge(gate, evaluation(0.9)).passed


def test_number_keeps_finite_numbers_alone() -> None:
    assert number(3) == 3.0
    assert [number(value) for value in (math.nan, False, None, "1")] == [None] * 4
