"""Names of metrics, baselines and times."""

import pytest

from crm_agents.admin.wording import (
    baseline_label,
    duration,
    figure,
    gate_sentence,
    in_order,
    lower_is_better,
    metric_label,
)
from crm_agents.recipes import Gate


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("roc_auc", "ROC-AUC"),
        ("ece", "Calibration error"),
        ("ndcg@10", "NDCG@10"),
        ("recall@20_new", "Recall@20, products new to the customer"),
        ("f1", "F1"),
        ("some_metric", "Some metric"),
    ],
)
def test_metrics_are_named(name: str, label: str) -> None:
    assert metric_label(name) == label


def test_an_unknown_baseline_keeps_its_own_name() -> None:
    assert baseline_label("item_knn") == "Bought together (ItemKNN)"
    assert baseline_label("my_rule") == "my rule"


def test_only_errors_are_better_when_low() -> None:
    assert [lower_is_better(name) for name in ("brier", "ece_new", "roc_auc", "ndcg@10")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (7.4, "7 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3840, "1 h 4 min"),
        (-3, "0 s"),
    ],
)
def test_lengths_of_time_are_written_in_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_figures_have_four_digits_and_whole_numbers_none() -> None:
    assert [figure(0.78), figure(4300), figure(None), figure("n/a")] == ["0.7800", "4,300", "–", "n/a"]


def test_a_gate_without_margin_and_bounds_is_one_short_sentence() -> None:
    assert gate_sentence(Gate("ndcg@10", ("personal_top", "item_knn"))) == (
        "A version goes live by itself when its NDCG@10 on the test window is better than that of each of "
        "these: Customer's own most frequent products; Bought together (ItemKNN)."
    )


def test_metrics_and_baselines_have_one_order_whatever_the_database_gives_back() -> None:
    assert in_order({"zzz", "recall@20", "ece", "ndcg@10_new", "ndcg@10", "roc_auc", "recall@10"}) == [
        "roc_auc",
        "ece",
        "recall@10",
        "recall@20",
        "ndcg@10",
        "ndcg@10_new",
        "zzz",
    ]
    assert in_order({"item_knn", "my_rule", "personal_top"}) == ["personal_top", "item_knn", "my_rule"]
