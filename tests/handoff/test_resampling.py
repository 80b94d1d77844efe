"""The bootstrap: what is drawn, and that its intervals hold as often as they say."""

import time
from typing import Any

import numpy as np
import pytest

from handoff.measures import Averages, Binary
from handoff.resampling import Interval, draws, interval, resample


def names(rows: int) -> "np.ndarray[Any, Any]":
    return np.array([f"c{number:06d}" for number in range(rows)])


def test_every_resample_draws_as_many_customers_as_there_are() -> None:
    weights = np.concatenate(list(draws(names(50), 20, seed=1)))

    assert weights.shape == (20, 50)
    assert weights.sum(axis=1).tolist() == [50.0] * 20
    assert len({row.tobytes() for row in weights}) == 20


def test_a_customer_is_drawn_with_all_its_rows() -> None:
    customers = np.array(["b", "a", "b", "c"])
    weights = np.concatenate(list(draws(customers, 30, seed=1)))

    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 0] + weights[:, 1] + weights[:, 3]).tolist() == [3.0] * 30


def test_a_seed_fixes_the_draws() -> None:
    first, again, other = (np.concatenate(list(draws(names(9), 5, seed))) for seed in (1, 1, 2))

    assert (first == again).all()
    assert (first != other).any()


def test_an_interval_is_where_the_middle_of_the_resamples_lies() -> None:
    found = interval(0.5, np.linspace(0, 1, 1001))

    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))


def test_without_a_value_or_with_too_few_resamples_there_is_no_interval() -> None:
    half = np.array([np.nan, np.nan, np.nan, 1.0])
    assert interval(np.nan, np.ones(4)) == Interval(None, None, None)
    assert interval(0.5, half) == Interval(0.5, None, None)
    assert interval(0.5, np.zeros(0)) == Interval(0.5, None, None)


def test_a_difference_is_taken_draw_by_draw() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(300)
    found = resample(
        {"a": Averages((base + 0.01)[:, None], ("m",)), "b": Averages(base[:, None], ("m",))}, names(300)
    )

    ahead = found["a"].difference(found["b"], "m")

    assert (ahead.value, ahead.low, ahead.high) == pytest.approx((0.01, 0.01, 0.01))
    alone = found["a"].interval("m")
    assert alone.low is not None
    assert alone.high is not None
    assert alone.high - alone.low > 0.05


def test_nine_intervals_of_ten_and_more_hold_the_truth() -> None:
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        score = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 90)])
        label = np.arange(150) < 60
        measure = Binary(label, np.full(150, 0.4), score, label, ("roc_auc",))
        found = resample({"m": measure}, names(150), resamples=300)["m"].interval("roc_auc")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2)
    assert 90 <= held <= 99


def test_nobody_gives_nothing() -> None:
    found = resample({"m": Averages(np.zeros((0, 1)), ("m",))}, names(0))

    assert found["m"].interval("m") == Interval(None, None, None)


def test_five_thousand_customers_take_no_time_worth_mentioning() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(5000)
    measure = Binary(rng.random(5000) < probability, probability, probability, probability >= 0.5)
    clock = time.process_time()

    resample({"m": measure}, names(5000))

    assert time.process_time() - clock < 3  # 0.4 s measured
