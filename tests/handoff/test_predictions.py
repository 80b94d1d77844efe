from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handoff.errors import HandoffError
from handoff.predictions import (
    PREDICTIONS,
    example_keys,
    measure,
    methods,
    read_predictions,
    slice_names,
    write_predictions,
)

AT = datetime(2020, 6, 1, tzinfo=UTC)
CHURN = pl.DataFrame(
    {
        "customer": ["b", "a", "c", "d"],
        "at": [AT] * 4,
        "label": [True, True, False, False],
        "probability": [0.9, 0.3, 0.6, 0.1],
        "rule.probability": [0.5, 0.5, 0.2, 0.2],
        "rule.rank": [9.0, 8.0, 7.0, 30.0],
        "rule.warned": [True, False, False, True],
        "rate.probability": [0.4] * 4,
        "slice.country": ["x", "x", "y", None],
    }
)
RANKING = pl.DataFrame(
    {
        "customer": ["a", "b"],
        "at": [AT] * 2,
        "truth": [2, 1],
        "ndcg@10": [0.5, 0.25],
        "ndcg@10_new": [None, 1.0],
        "popularity.ndcg@10": [0.0, 0.5],
    }
)


def values(frame: pl.DataFrame, method: str) -> dict[str, float]:
    found = measure(frame, method)
    row = found(np.ones((1, len(frame)), np.float32))[0]
    return dict(zip(found.names, row.tolist(), strict=True))


def test_a_file_comes_back_sorted_by_example(tmp_path: Path) -> None:
    write_predictions(tmp_path, CHURN)

    found = read_predictions(tmp_path / PREDICTIONS)

    assert found["customer"].to_list() == ["a", "b", "c", "d"]
    assert found.columns == CHURN.columns


def test_a_file_tells_its_methods_slices_and_keys() -> None:
    assert methods(CHURN) == ["model", "rule", "rate"]
    assert methods(RANKING) == ["model", "popularity"]
    assert slice_names(CHURN) == ["country"]
    assert example_keys(RANKING) == ["customer", "at"]


def test_a_rule_ranks_and_warns_in_its_own_way() -> None:
    found = values(CHURN, "rule")

    assert found["roc_auc"] == 0.5  # by days: 9 and 8 beat 7, not 30
    assert found["accuracy"] == 0.5  # by its warnings
    assert found["brier"] == pytest.approx((0.25 + 0.25 + 0.04 + 0.04) / 4)


def test_without_a_way_of_its_own_a_probability_ranks_and_warns() -> None:
    assert values(CHURN, "model")["roc_auc"] == 0.75
    assert values(CHURN, "model")["accuracy"] == 0.5
    assert values(CHURN, "rate")["roc_auc"] == 0.5


def test_other_metrics_are_means_of_the_rows_that_count() -> None:
    assert values(RANKING, "model") == {"ndcg@10": 0.375, "ndcg@10_new": 1.0}
    assert values(RANKING, "popularity") == {"ndcg@10": 0.25}


def test_a_method_that_the_file_lacks_is_named() -> None:
    with pytest.raises(HandoffError, match="'item_knn'"):
        measure(CHURN, "item_knn")


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS
    with pytest.raises(HandoffError, match="does not exist"):
        read_predictions(path)
    path.write_text("nothing")
    with pytest.raises(HandoffError, match="cannot be read"):
        read_predictions(path)
    pl.DataFrame({"customer": ["a"]}).write_parquet(path)
    with pytest.raises(HandoffError, match="no column at"):
        read_predictions(path)
