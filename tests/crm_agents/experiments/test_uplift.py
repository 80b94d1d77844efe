"""The figures of two arms, against truths that are planted."""

import numpy as np
import pytest

from crm_agents.services.experiments.uplift import Floats, Mask, detectable_before, figure, split_chance


def arms(customers: int, share: float, rng: np.random.Generator) -> Mask:
    return np.asarray(rng.random(customers) < share)


def shoppers(customers: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the chance to buy of each customer, and whether each bought before."""
    chance = rng.beta(1, 3, customers)
    return chance, (rng.random(customers) < chance).astype(float)


def test_without_a_difference_one_in_twenty_is_told_by_chance() -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _seed in range(400):
        chance, before = shoppers(2_000, rng)
        after = (rng.random(2_000) < chance).astype(float)
        found = figure(after, arms(2_000, 0.1, rng), before)
        assert found.low is not None
        assert found.high is not None
        alarms += not found.low <= 0 <= found.high
    assert 8 <= alarms <= 33  # 20 expected; 99.8 % of all draws lie within


def test_a_planted_uplift_lies_in_the_interval() -> None:
    rng = np.random.default_rng(2)
    covered, told = 0, 0
    for _seed in range(100):
        chance, before = shoppers(20_000, rng)
        second = arms(20_000, 0.9, rng)
        after = (rng.random(20_000) < chance * np.where(second, 1.2, 1)).astype(float)
        found = figure(after, second, before)
        assert found.relative_low is not None
        assert found.relative_high is not None
        covered += found.relative_low <= 0.2 <= found.relative_high
        told += found.relative_low > 0
    assert covered >= 88  # 95 expected
    assert told >= 95


def test_what_was_bought_before_makes_the_interval_narrower_and_moves_nothing() -> None:
    rng = np.random.default_rng(3)
    chance, _before = shoppers(20_000, rng)
    spent = rng.gamma(2, 50, 20_000) * chance
    second = arms(20_000, 0.5, rng)
    after = spent * rng.uniform(0.5, 1.5, 20_000) + 10.0 * second
    plain, adjusted = figure(after, second), figure(after, second, spent)
    assert plain.explained == 0
    assert adjusted.explained > 0.5
    assert (adjusted.first, adjusted.second) == (plain.first, plain.second)
    for found in (plain, adjusted):
        assert found.low is not None
        assert found.high is not None
        assert found.low < 10 < found.high
    assert adjusted.high - adjusted.low < 0.75 * (plain.high - plain.low)  # type: ignore[operator]


def test_the_interval_of_money_is_a_bootstrap_and_close_to_welch_where_that_holds() -> None:
    rng = np.random.default_rng(4)
    values, second = rng.gamma(4, 25, 4_000), arms(4_000, 0.5, rng)
    drawn, normal = figure(values, second, skewed=True), figure(values, second)
    assert (drawn.method, normal.method) == ("bootstrap", "normal")
    assert drawn.low == pytest.approx(normal.low, abs=0.6)
    assert drawn.high == pytest.approx(normal.high, abs=0.6)
    assert figure(values, second, skewed=True) == drawn  # the same draws each time


@pytest.mark.parametrize(
    ("customers", "bought"),
    [(40, 40), (2_000, 6)],  # too few customers in an arm; too few of them bought
)
def test_too_little_is_not_told(customers: int, bought: int) -> None:
    second = np.arange(customers) % 2 == 0
    values = (np.arange(customers) < bought).astype(float)
    found = figure(values, second)
    assert found.first == pytest.approx(bought / customers, abs=0.01)
    assert (found.low, found.high, found.relative, found.detectable) == (None, None, None, None)


def test_no_customers_at_all_have_no_figures() -> None:
    found = figure(np.zeros(0), np.zeros(0, np.bool_))
    assert (found.first, found.second, found.low) == (None, None, None)


def test_the_detectable_difference_is_seen_four_times_out_of_five() -> None:
    rng = np.random.default_rng(5)
    second = arms(10_000, 0.5, rng)
    size = detectable_before((rng.random(10_000) < 0.3).astype(float), second)
    assert size is not None
    seen = 0
    for _seed in range(200):
        after = (rng.random(10_000) < 0.3 * np.where(second, 1 + size, 1)).astype(float)
        found = figure(after, second)
        assert found.low is not None
        seen += found.low > 0
    assert 0.7 <= seen / 200 <= 0.9


@pytest.mark.parametrize(
    ("customers", "second", "fair"), [(10_000, 1_000, True), (10_000, 1_040, True), (10_000, 1_200, False)]
)
def test_an_uneven_split_is_noticed(customers: int, second: int, fair: bool) -> None:
    assert (split_chance(customers, second, 0.1) > 0.001) is fair


def test_the_chance_of_a_split_is_that_of_chi_square() -> None:
    assert split_chance(100, 60, 0.5) == pytest.approx(0.0455, abs=1e-4)  # chi square of 4
    assert split_chance(0, 0, 0.1) == 1.0
