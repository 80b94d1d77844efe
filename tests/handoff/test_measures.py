"""Weighted metrics against scikit-learn's and against values worked out by hand."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from handoff.measures import MOST, Averages, Binary
from neural.evaluation.classification import classification_metrics

Scored = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]  # label, probability


def plain(measure: Averages | Binary, rows: int) -> dict[str, float]:
    found = measure(np.ones((1, rows), np.float32))[0]
    return dict(zip(measure.names, found.tolist(), strict=True))


@pytest.fixture
def scored() -> Scored:
    rng = np.random.default_rng(3)
    probability = np.round(rng.random(400), 2)  # with ties
    return rng.random(400) < probability, probability


def test_weights_of_one_give_the_plain_metrics(scored: Scored) -> None:
    label, probability = scored

    found = plain(Binary(label, probability, probability, probability >= 0.5), len(label))

    expected = classification_metrics(label, probability)
    assert set(found) == set(expected)
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_ranking_metric_alone_is_the_same_without_sums(scored: Scored) -> None:
    label, probability = scored
    everything = plain(Binary(label, probability, probability, probability >= 0.5), len(label))

    measure = Binary(label, probability, probability, probability >= 0.5, ("roc_auc", "lift@10"))

    assert plain(measure, len(label)) == {name: everything[name] for name in ("roc_auc", "lift@10")}
    assert not hasattr(measure, "_columns")  # 136 MB for a million rows, on each slice of them


def test_weights_count_rows_as_often_as_they_say(scored: Scored) -> None:
    label, probability = scored
    weight = np.random.default_rng(4).integers(0, 4, len(label))
    measure = Binary(label, probability, probability, probability >= 0.5)

    found = dict(zip(measure.names, measure(weight[None].astype(np.float32))[0].tolist(), strict=True))

    drawn = np.repeat(np.arange(len(label)), weight)
    expected = classification_metrics(label[drawn], probability[drawn])
    assert found == pytest.approx(expected, abs=1e-9)


def test_very_many_scores_are_taken_together_without_moving_a_metric() -> None:
    rng = np.random.default_rng(5)
    probability = rng.random(5 * MOST)
    label = rng.random(len(probability)) < probability

    found = plain(Binary(label, probability, probability, probability >= 0.5), len(label))

    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(label, probability), abs=1e-6)
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(label, probability), abs=1e-3)


def test_what_a_weighting_leaves_undefined_is_no_number() -> None:
    label, probability = np.array([True, False]), np.array([0.2, 0.1])
    measure = Binary(label, probability, probability, probability >= 0.5)

    both, one = measure(np.array([[1, 1], [0, 2]], np.float32))

    undefined = {name for name, value in zip(measure.names, one, strict=True) if np.isnan(value)}
    assert undefined == {"roc_auc", "pr_auc", "precision", "recall", "f1", "lift@10"}
    assert both[measure.names.index("roc_auc")] == 1.0


def test_no_rows_define_nothing() -> None:
    nothing = np.zeros(0)
    measure = Binary(nothing.astype(bool), nothing, nothing, nothing.astype(bool), ("brier",))

    assert np.isnan(measure(np.ones((2, 0), np.float32))).all()


def test_only_the_metrics_asked_for_are_made() -> None:
    label, probability = np.array([True, False]), np.array([0.2, 0.1])
    measure = Binary(label, probability, probability, probability >= 0.5, Binary.named(["brier", "x"]))

    assert measure.names == ("brier",)
    assert measure(np.ones((1, 2), np.float32)).tolist() == [[pytest.approx((0.64 + 0.01) / 2)]]


def test_an_average_leaves_out_the_rows_that_do_not_count() -> None:
    measure = Averages(np.array([[1.0, np.nan], [0.5, 0.25], [0.0, 0.75]]), ("a", "b"))

    assert measure(np.array([[1, 1, 1], [0, 3, 1], [1, 0, 0]], np.float32))[:, 0].tolist() == [
        pytest.approx(0.5),
        pytest.approx(0.375),
        pytest.approx(1.0),
    ]
    assert measure(np.array([[1, 1, 1], [0, 3, 1]], np.float32))[:, 1].tolist() == [0.5, 0.375]
    assert np.isnan(measure(np.array([[1, 0, 0]], np.float32))[0, 1])
