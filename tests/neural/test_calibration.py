"""Platt scaling, and the shift that last year's season teaches."""

import numpy as np
import pytest

from neural.calibration import (
    TRUST,
    apply_platt,
    facts_shift,
    fit_platt,
    fit_with_facts,
    logit,
    seasonal_shift,
    sigmoid,
)


def test_platt_finds_the_distortion() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1.5, 20_000)
    label = rng.random(20_000) < sigmoid(truth)
    found = fit_platt(2 * truth + 1, label)
    assert found["slope"] == pytest.approx(0.5, abs=0.03)
    assert found["offset"] == pytest.approx(-0.5, abs=0.05)
    assert apply_platt(2 * truth + 1, found).mean() == pytest.approx(label.mean(), abs=0.002)


def test_platt_never_turns_a_ranking_round() -> None:
    found = fit_platt(np.array([-1.0, 0.0, 1.0, 2.0]), np.array([True, True, False, False]))
    assert found["slope"] > 0


def test_a_given_slope_is_kept() -> None:
    found = fit_platt(np.array([-1.0, 1.0, 1.0]), np.array([False, True, True]), slope=0.7)
    assert found["slope"] == 0.7


@pytest.mark.parametrize("label", [[], [True, True], [False, False]])
def test_one_class_or_none_gives_finite_numbers(label: list[bool]) -> None:
    found = fit_platt(np.zeros(len(label)), np.array(label, bool))
    assert np.isfinite([found["slope"], found["offset"]]).all()


def test_logit_undoes_sigmoid() -> None:
    x = np.array([-3.0, 0.0, 2.0])
    assert logit(sigmoid(x)).tolist() == pytest.approx(x.tolist())


def test_half_of_last_years_shift_is_believed() -> None:
    season = [[1000.0, 0.2], [1090.0, -0.6]]
    calibration = {"slope": 1.0, "offset": 0.1, "validation": 1365.0, "season": season}
    assert seasonal_shift(calibration, 1455.0) == pytest.approx(TRUST * (-0.6 - 0.2))
    assert seasonal_shift(calibration, 1365.0) == 0.0
    assert apply_platt(np.zeros(1), calibration, 1455.0)[0] == pytest.approx(sigmoid(np.array(0.1 - 0.4)))


def test_an_unknown_season_shifts_nothing() -> None:
    calibration = {"slope": 1.0, "offset": 0.1, "validation": 1365.0, "season": [[1000.0, 0.2]]}
    assert seasonal_shift(calibration, 1455.0) == 0.0
    assert seasonal_shift({"slope": 1.0, "offset": 0.0}, 1455.0) == 0.0


def test_facts_of_the_customer_shift_the_chance() -> None:
    rng = np.random.default_rng(0)
    logits, fact = rng.normal(-2, 1, 40_000), rng.normal(3, 2, 40_000)
    truth = sigmoid(0.5 * logits + 0.8 * fact - 4)
    found = fit_with_facts(logits, fact[:, None], rng.random(40_000) < truth)
    assert found["slope"] == pytest.approx(0.5, abs=0.03)
    assert found["facts"]["weight"][0] / found["facts"]["spread"][0] == pytest.approx(0.8, abs=0.05)
    chance = apply_platt(logits, found, shift=facts_shift(found, fact[:, None]))
    assert np.abs(chance - truth).mean() < 0.01


def test_facts_never_turn_a_ranking_round() -> None:
    label = np.array([True, True, False, False])
    found = fit_with_facts(np.array([-1.0, 0.0, 1.0, 2.0]), np.ones((4, 1)), label)
    assert found["slope"] > 0
    assert np.isfinite(found["facts"]["weight"]).all()


def test_without_facts_nothing_shifts() -> None:
    assert facts_shift({"slope": 1.0, "offset": 0.0}, np.ones((2, 3))).tolist() == [0.0, 0.0]
    assert fit_with_facts(np.zeros(0), np.zeros((0, 3)), np.zeros(0, bool)) == {"slope": 1.0, "offset": 0.0}
