"""Names of metrics and baselines."""

import pytest

from crm_agents.names import baseline_label, in_order, lower_is_better, metric_label


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
