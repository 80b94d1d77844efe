"""The learning-rate range test: rising rates, an end at divergence, and a suggestion with its rule."""

import math
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handoff.config import TrainingConfig
from handoff.files import read_json
from handoff.progress import Outcome, ProgressReader
from neural.rates import HIGHEST, LOWEST, STEPS, find_rate, rates, suggestion, sweep
from tests.neural.shop import CHURN, NEXT_PRODUCT

Configure = Callable[..., TrainingConfig]


def test_the_rates_rise_by_the_same_factor() -> None:
    found = rates()
    assert (len(found), found[0]) == (STEPS, LOWEST)
    assert found[-1] == pytest.approx(HIGHEST)
    factors = {round(after / before, 9) for before, after in zip(found, found[1:], strict=False)}
    assert factors == {round((HIGHEST / LOWEST) ** (1 / (STEPS - 1)), 9)}


@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
def test_a_range_test_suggests_a_rate_that_lies_within_the_range(
    base: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    configure(base, batch_size=16).write(tmp_path)
    assert find_rate(tmp_path).status == "succeeded"
    report = read_json(tmp_path / "report.json")
    tried = [rate for rate, _ in report["points"]]
    assert tried == rates()[: len(tried)]
    assert 1e-5 < report["suggested"] < 0.2
    assert report["suggested"] == min(report["lowest"] / 10, report["steepest"])
    assert report["rule"] in ("lowest/10", "steepest")
    assert report["steepest"] < report["lowest"]
    assert all(math.isfinite(loss) for _, loss in report["points"])
    assert not (tmp_path / "artifact").exists()
    told = list(ProgressReader(tmp_path).read())[-1]
    assert (told.phase, told.step, told.of) == ("training", STEPS, STEPS)


def test_a_range_test_done_again_gives_the_same_report(tmp_path: Path, configure: Configure) -> None:
    for name in ("one", "two"):
        configure(CHURN, batch_size=16, dropout=0.2).write(tmp_path / name)
        find_rate(tmp_path / name)
    assert read_json(tmp_path / "one/report.json") == read_json(tmp_path / "two/report.json")


def test_it_stops_where_the_loss_falls_apart(tmp_path: Path, configure: Configure) -> None:
    configure(CHURN, batch_size=16).write(tmp_path)
    find_rate(tmp_path)
    report = read_json(tmp_path / "report.json")
    assert report["diverged_at"] is not None
    assert len(report["points"]) < STEPS
    assert report["lowest"] < report["diverged_at"]


class Uneven:
    """A fitter whose batches are ever harder, by more than what is learnt at any rate."""

    stop = progress = SimpleNamespace(check=lambda: None, write=lambda *place, loss: None)

    def epoch(self, phase: str, lessons: object, epoch: int) -> list[list[float]]:
        return [[1.0 + step / 10] for step in range(STEPS)]

    def optimizer(self, model: SimpleNamespace) -> None: ...

    def step(
        self, model: Any, lessons: Any, optimizer: Any, batches: list[float], place: Any, rate: float
    ) -> float:
        loss: float = batches[0] - model.learnt
        model.learnt += 0.01 if 1e-4 < rate < 1e-2 else -0.5 if rate > 0.05 else 0.0
        return loss


def test_hard_batches_are_not_taken_for_a_loss_that_rises() -> None:
    points, diverged_at = sweep(Uneven(), SimpleNamespace(learnt=0.0), None)  # type: ignore[arg-type]
    found = suggestion(points)
    assert len({round(loss, 9) for rate, loss in points if rate < 1e-4}) == 1
    assert found["lowest"] > 1e-2
    assert 1e-4 < found["suggested"] < 1e-2
    assert (diverged_at or 0) > 0.05


def curve(*losses: float) -> list[tuple[float, float]]:
    """Ten points of noise, then ten for each loss, from one rate to the next tenfold."""
    noise = [(1e-7, 9.0 if place % 2 else 0.5) for place in range(9)]
    return noise + [(1e-6 * 10 ** (place / 10), losses[place // 10]) for place in range(10 * len(losses))]


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss() -> None:
    found = suggestion(curve(5.0, 4.0, 3.9, 3.8, 9.0))
    assert found["lowest"] == pytest.approx(1e-3)
    assert found["suggested"] == pytest.approx(min(found["steepest"], 1e-4))


def test_the_suggestion_is_where_the_loss_falls_steepest_if_that_is_lower() -> None:
    found = suggestion(curve(5.0, 2.0, 1.9, 1.8, 1.7))
    assert found["rule"] == "steepest"
    assert found["suggested"] == found["steepest"] < 1e-5
    assert found["lowest"] == pytest.approx(1e-2)


def test_a_loss_that_only_rises_suggests_nothing() -> None:
    found = suggestion(curve(5.0, 6.0, 7.0))
    assert found == {"suggested": None, "rule": None, "steepest": None, "lowest": None}
    assert suggestion([]) == found


def test_sigterm_ends_it_without_a_report(tmp_path: Path, configure: Configure) -> None:
    configure(NEXT_PRODUCT, batch_size=1).write(tmp_path)
    child = subprocess.Popen([sys.executable, "-m", "neural", "range", str(tmp_path)])
    for _ in range(2000):
        if any(line.phase == "training" for line in ProgressReader(tmp_path).read()):
            break
        try:
            child.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 143
    assert Outcome.read(tmp_path) is None
    assert not (tmp_path / "report.json").exists()
