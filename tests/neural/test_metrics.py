"""Metrics against values worked out by hand."""

import math

import numpy as np
import pytest

from neural.evaluation.classification import classification_curves, classification_metrics
from neural.evaluation.ranking import Truth, ranking_metrics, top_lists, without_own


def test_ranking_metrics_of_one_list() -> None:
    # Three true products; the list hits the first and the third place and misses one of them.
    truth = Truth.of(np.array([0, 0, 0]), np.array([5, 7, 9]), queries=1, products=30)
    lists = np.array([[5, 1, 7, *range(10, 27)]])
    found = ranking_metrics(lists, truth, candidates=30)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert found["ndcg@10"] == pytest.approx((1 + 1 / 2) / ideal)
    assert found["recall@10"] == pytest.approx(2 / 3)
    assert found["recall@20"] == pytest.approx(2 / 3)
    assert found["precision@10"] == pytest.approx(0.2)
    assert found["map@10"] == pytest.approx((1 + 2 / 3) / 3)
    assert found["hit@10"] == 1.0
    assert found["coverage@10"] == pytest.approx(10 / 30)


def test_more_than_ten_true_products_can_still_give_a_perfect_ndcg() -> None:
    truth = Truth.of(np.zeros(12, int), np.arange(12), queries=1, products=12)
    found = ranking_metrics(np.arange(12)[None, :], truth, candidates=12)
    assert found["ndcg@10"] == pytest.approx(1.0)
    assert found["recall@10"] == pytest.approx(10 / 12)
    assert found["map@10"] == pytest.approx(1.0)


def test_a_customer_without_truth_does_not_count() -> None:
    truth = Truth.of(np.array([1]), np.array([3]), queries=2, products=5)
    found = ranking_metrics(np.array([[0, 1], [3, 0]]), truth, candidates=5, suffix="_new")
    assert found["hit@10_new"] == 1.0
    assert found["ndcg@10_new"] == 1.0


def test_no_truth_at_all_is_undefined_and_not_zero() -> None:
    truth = Truth.of(np.zeros(0, int), np.zeros(0, int), queries=1, products=5)
    assert set(ranking_metrics(np.array([[0]]), truth, 5).values()) == {None}


def test_top_lists_orders_breaks_ties_by_number_and_leaves_out_what_is_forbidden() -> None:
    scores = np.array([[1.0, 3.0, -np.inf, 3.0, 2.0]])
    assert top_lists(scores, 3).tolist() == [[1, 3, 4]]
    assert top_lists(scores, 5).tolist() == [[1, 3, 4, 0, -1]]


def test_of_those_that_tie_at_the_end_of_a_list_the_first_are_taken() -> None:
    scores = np.zeros((2, 5000))
    scores[:, 4000] = 1.0
    scores[1, 30:] = 1.0
    expected = [[4000, *range(19)], list(range(30, 50))]
    assert top_lists(scores, 20).tolist() == expected


def test_without_own_keeps_only_what_is_new_to_the_customer() -> None:
    truth = Truth.of(np.array([0, 0, 1]), np.array([2, 3, 2]), queries=2, products=9)
    new = without_own(truth, np.array([0]), np.array([2]))
    assert list(zip(new.query.tolist(), new.product.tolist(), strict=True)) == [(0, 3), (1, 2)]
    assert new.size.tolist() == [1, 1]


def test_classification_metrics_of_four_customers() -> None:
    label = np.array([True, True, False, False])
    probability = np.array([0.9, 0.3, 0.6, 0.1])
    found = classification_metrics(label, probability)
    assert found["roc_auc"] == pytest.approx(0.75)
    assert found["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.49 + 0.36 + 0.01) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.7 + 0.6 + 0.1) / 4)
    assert (found["accuracy"], found["precision"], found["recall"], found["f1"]) == (0.5, 0.5, 0.5, 0.5)
    assert found["lift@10"] == pytest.approx(2.0)


def test_ties_at_the_edge_of_the_top_tenth_lift_nobody() -> None:
    label = np.array([True] * 10 + [False] * 30)
    assert classification_metrics(label, np.full(40, 0.3))["lift@10"] == pytest.approx(1.0)
    assert classification_metrics(label[::-1], np.full(40, 0.3))["lift@10"] == pytest.approx(1.0)
    # two above the edge, one of them positive; half of the 20 that tie there are positive
    probability = np.array([0.9] + [0.6] * 9 + [0.9] + [0.6] * 11 + [0.1] * 18)
    label = np.array([True] * 10 + [False, True] + [False] * 28)
    assert classification_metrics(label, probability)["lift@10"] == pytest.approx(
        (1 + 2 * 0.5) / 4 / (11 / 40)
    )


@pytest.mark.parametrize("label", [True, False])
def test_one_class_alone_leaves_ranking_undefined_and_crashes_nothing(label: bool) -> None:
    labels = np.full(3, label)
    found = classification_metrics(labels, np.array([0.2, 0.4, 0.9]))
    assert found["roc_auc"] is None
    assert found["brier"] is not None
    assert classification_curves(labels, np.array([0.2, 0.4, 0.9]))["roc"] == []


def test_curves_stay_short_and_count_everyone() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(5000)
    label = rng.random(5000) < probability
    curves = classification_curves(label, probability)
    assert len(curves["roc"]) == 100
    assert curves["roc"][0] == [0.0, 0.0]
    assert curves["roc"][-1] == [1.0, 1.0]
    assert sum(bin_["positives"] + bin_["negatives"] for bin_ in curves["histogram"]) == 5000
    confusion = curves["confusion"]
    assert sum(confusion[name] for name in ("tp", "fp", "fn", "tn")) == 5000
