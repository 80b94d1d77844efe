"""Means over customers and cut-offs, and their intervals from the same draws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.results import MEAN, Result, Results, keep, read_kept

NAMES = tuple(f"c{number}" for number in range(200))


def result(method: str, cutoff: str, values: np.ndarray, **facts: Any) -> Result:
    return Result(method, cutoff, NAMES, {"ndcg@10": values}, fit=2.0, score=1.0, **facts)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).random(len(NAMES))


def test_a_constant_lead_is_certain_however_much_customers_differ(values: np.ndarray) -> None:
    results = Results(
        [
            result("ours", "2011-01-01", values + 0.1, ours=True),
            result("best", "2011-01-01", values),
            result("worse", "2011-01-01", values - 0.1),
        ]
    )
    assert results.best_peer("ndcg@10", "2011-01-01") == "best"
    figure = results.figure("best", "ndcg@10", "2011-01-01")
    assert figure.value == pytest.approx(values.mean())
    assert figure.low < figure.value < figure.high
    lead = results.difference("ours", "best", "ndcg@10", "2011-01-01")
    assert [lead.low, lead.high] == pytest.approx([0.1, 0.1])


def test_the_mean_weighs_cut_offs_alike_and_seeds_are_averaged(values: np.ndarray) -> None:
    half = np.where(np.arange(len(NAMES)) < 100, values, np.nan)  # only some count at the second
    results = Results(
        [
            result("ours", "2011-01-01", values, ours=True, seed=0),
            result("ours", "2011-01-01", values + 0.2, ours=True, seed=1),
            result("ours", "2011-02-01", half, ours=True),
        ]
    )
    assert results.splits("ours") == ["2011-01-01", "2011-02-01", MEAN]
    wanted = (values.mean() + 0.1 + values[:100].mean()) / 2
    assert results.figure("ours", "ndcg@10", MEAN).value == pytest.approx(wanted)
    assert results.seconds("ours", MEAN) == (2.0, 1.0)


def test_methods_asked_about_other_customers_are_refused(values: np.ndarray) -> None:
    other = Result("peer", "2011-01-01", NAMES[:-1], {"ndcg@10": values[:-1]}, fit=0, score=0)
    with pytest.raises(ValueError, match="not asked about the same customers at 2011-01-01"):
        Results([result("ours", "2011-01-01", values, ours=True), other])


def test_kept_results_come_back_as_they_were(tmp_path: Path, values: np.ndarray) -> None:
    written = result("ours", "2011-01-01", values, ours=True, seed=3, note="10 epochs")
    keep(written, tmp_path)
    keep(result("ours", "2011-02-01", values), tmp_path)
    (found,) = read_kept(tmp_path, ["2011-01-01"])
    assert np.array_equal(found.values.pop("ndcg@10"), written.values.pop("ndcg@10"))
    assert found == written
