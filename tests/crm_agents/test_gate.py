import math

import pytest

from crm_agents.recipes import Gate
from crm_agents.services.gate import Comparison, judge, number

GATE = Gate(metric="ndcg@10", baselines=("personal_top", "popularity"), margin=0.02)


def evaluation(
    model: object, personal: object = 0.3, popular: object = 0.1, **also: object
) -> dict[str, object]:
    rivals = {"personal_top": {"ndcg@10": personal}, "popularity": {"ndcg@10": popular}}
    return {"metrics": {"model": {"ndcg@10": model, **also}, "baselines": rivals}}


def test_a_version_passes_that_beats_every_baseline_by_the_margin() -> None:
    judgement = judge(GATE, evaluation(0.31))

    assert judgement.passed
    assert judgement.comparisons == (
        Comparison("ndcg@10", 0.31, ">=", 0.3 + 0.3 * 0.02, True, "personal_top", 0.3),
        Comparison("ndcg@10", 0.31, ">=", 0.1 + 0.1 * 0.02, True, "popularity", 0.1),
    )


def test_a_version_keeps_the_comparisons_as_json_values() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",))

    assert judge(gate, evaluation(0.31)).reasons == [
        {
            "metric": "ndcg@10",
            "model": 0.31,
            "sign": ">",
            "required": 0.1,
            "passed": True,
            "baseline": "popularity",
            "baseline_value": 0.1,
        }
    ]


def test_beating_one_baseline_is_not_enough() -> None:
    judgement = judge(GATE, evaluation(0.305))

    assert not judgement.passed
    assert [comparison.passed for comparison in judgement.comparisons] == [False, True]


def test_equal_is_not_better_even_without_a_margin() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",))

    assert judge(gate, evaluation(0.1)).comparisons == (
        Comparison("ndcg@10", 0.1, ">", 0.1, False, "popularity", 0.1),
    )
    assert judge(gate, evaluation(0.1001)).passed


def test_the_margin_asks_for_more_of_a_negative_baseline_too() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",), margin=0.1)

    assert not judge(gate, evaluation(-0.095, popular=-0.1)).passed
    assert judge(gate, evaluation(-0.09, popular=-0.1)).passed


def test_nothing_is_gained_on_a_baseline_of_zero_by_reaching_it() -> None:
    assert not judge(GATE, evaluation(0.0, personal=0.0, popular=0.0)).passed
    assert judge(GATE, evaluation(0.001, personal=0.0, popular=0.0)).passed


def test_a_lower_value_wins_where_lower_is_better() -> None:
    gate = Gate(metric="brier", baselines=("rule",), margin=0.1, higher_is_better=False)
    metrics = {"metrics": {"model": {"brier": 0.18}, "baselines": {"rule": {"brier": 0.2}}}}
    worse = {"metrics": {"model": {"brier": 0.19}, "baselines": {"rule": {"brier": 0.2}}}}

    assert judge(gate, metrics).comparisons == (Comparison("brier", 0.18, "<=", 0.18, True, "rule", 0.2),)
    assert not judge(gate, worse).passed


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.9", True])
def test_a_metric_that_is_no_finite_number_fails(value: object) -> None:
    gate = Gate(metric="ndcg@10", baselines=("personal_top",))

    assert judge(gate, evaluation(value)).comparisons == (
        Comparison("ndcg@10", None, ">", 0.3, False, "personal_top", 0.3),
    )
    assert judge(gate, evaluation(0.9, personal=value)).comparisons == (
        Comparison("ndcg@10", 0.9, ">", None, False, "personal_top", None),
    )


@pytest.mark.parametrize("broken", [{}, {"metrics": None}, {"metrics": {"model": {"ndcg@10": 0.9}}}])
def test_an_evaluation_without_figures_fails(broken: dict[str, object]) -> None:
    assert not judge(GATE, broken).passed


def test_further_conditions_bound_the_models_own_metrics() -> None:
    gate = Gate(metric="ndcg@10", baselines=("popularity",), also={"ece": ("<=", 0.15)})

    assert judge(gate, evaluation(0.9, ece=0.15)).comparisons[1] == Comparison("ece", 0.15, "<=", 0.15, True)
    assert judge(gate, evaluation(0.9, ece=0.15)).passed
    assert judge(gate, evaluation(0.9, ece=0.2)).comparisons[1] == Comparison("ece", 0.2, "<=", 0.15, False)
    assert not judge(gate, evaluation(0.9, ece=0.2)).passed
    assert judge(gate, evaluation(0.9)).comparisons[1] == Comparison("ece", None, "<=", 0.15, False)
    assert not judge(gate, evaluation(0.9)).passed


def sure_evaluation(low: object, high: object) -> dict[str, object]:
    differences = {"popularity": {"ndcg@10": [0.2, low, high]}}
    return {**evaluation(0.31), "intervals": {"differences": differences}}


SURE = Gate(metric="ndcg@10", baselines=("popularity",), sure=True)


def test_a_gate_may_ask_that_the_lead_be_sure() -> None:
    passed = judge(SURE, sure_evaluation(0.01, 0.4))
    chance = judge(SURE, sure_evaluation(-0.01, 0.4))

    assert passed.passed
    assert passed.comparisons[1] == Comparison(
        "ndcg@10", 0.31, ">", 0.0, True, "popularity", 0.1, bound=0.01, sure=True
    )
    assert [comparison.passed for comparison in chance.comparisons] == [True, False]
    assert not judge(SURE, sure_evaluation(0.0, 0.4)).passed


@pytest.mark.parametrize(
    "untold", [evaluation(0.31), sure_evaluation(None, None), sure_evaluation(math.nan, 1)]
)
def test_a_lead_of_which_nothing_is_known_is_not_sure(untold: dict[str, object]) -> None:
    assert not judge(SURE, untold).passed


def test_where_lower_is_better_the_upper_end_decides() -> None:
    gate = Gate(metric="brier", baselines=("rule",), higher_is_better=False, sure=True)
    metrics = {"model": {"brier": 0.18}, "baselines": {"rule": {"brier": 0.2}}}

    def told(high: float) -> dict[str, object]:
        found = {"differences": {"rule": {"brier": [-0.02, -0.03, high]}}}
        return {"metrics": metrics, "intervals": found}

    assert judge(gate, told(-0.01)).passed
    assert not judge(gate, told(0.01)).passed


def test_a_bound_may_be_a_baselines_own_value() -> None:
    gate = Gate(metric="ndcg@10", baselines=(), also={"brier": ("<", "base_rate")})
    rivals = {"base_rate": {"brier": 0.25}}

    better = judge(gate, {"metrics": {"model": {"brier": 0.24}, "baselines": rivals}})
    equal = judge(gate, {"metrics": {"model": {"brier": 0.25}, "baselines": rivals}})
    unknown = judge(gate, {"metrics": {"model": {"brier": 0.24}, "baselines": {}}})

    assert better.comparisons == (Comparison("brier", 0.24, "<", 0.25, True, "base_rate", 0.25),)
    assert (better.passed, equal.passed, unknown.passed) == (True, False, False)


def test_a_bound_that_the_window_cannot_define_holds_nobody_up() -> None:
    gate = Gate(metric="ndcg@10", baselines=(), also={"recall": (">=", "rule")})

    def told(own: dict[str, object], rival: dict[str, object]) -> dict[str, object]:
        return {"metrics": {"model": own, "baselines": {"rule": rival}}}

    both = judge(gate, told({"recall": None}, {"recall": None}))

    assert both.comparisons == (Comparison("recall", None, ">=", None, True, "rule", None),)
    assert not judge(gate, told({"recall": None}, {"recall": 0.1})).passed
    assert not judge(gate, told({"recall": 0.1}, {"recall": None})).passed
    assert not judge(gate, told({}, {})).passed
    assert not judge(gate, told({"recall": None}, {})).passed
    assert not judge(gate, {"metrics": {"model": {"recall": None}, "baselines": {}}}).passed
    assert not judge(Gate("ndcg@10", (), also={"recall": (">=", 0.1)}), told({"recall": None}, {})).passed


def test_only_a_condition_on_surety_keeps_its_bound() -> None:
    plain, sure = judge(SURE, sure_evaluation(0.01, 0.4)).reasons

    assert set(sure) - set(plain) == {"bound", "sure"}
    assert (sure["bound"], sure["sure"]) == (0.01, True)


def test_number_keeps_finite_numbers_alone() -> None:
    assert number(3) == 3.0
    assert [number(value) for value in (math.nan, False, None, "1")] == [None] * 4
