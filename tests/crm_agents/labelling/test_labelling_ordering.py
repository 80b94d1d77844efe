import numpy as np
import pytest

from crm_agents.services.labelling.ordering import (
    arrange,
    diverse_batch,
    draw,
    margin_uncertainty,
    uncertainty_of,
)


def test_uncertainty_is_the_margin_between_the_two_likeliest() -> None:
    rows = np.asarray([[0.5, 0.5, 0.0], [0.1, 0.8, 0.1], [1.0, 0.0, 0.0]])

    np.testing.assert_allclose(margin_uncertainty(rows), [1.0, 0.3, 0.0])
    assert uncertainty_of({"left": 0.7, "stayed": 0.3}) == pytest.approx(0.6)
    assert uncertainty_of({}) == 0.0
    assert uncertainty_of({"left": 1.0}) == 0.0


def test_the_random_share_is_a_sample_of_its_size() -> None:
    drawn = draw(1000, 0.2, seed=1)

    assert drawn.sum() == 200
    assert (drawn == draw(1000, 0.2, seed=1)).all()
    assert (drawn != draw(1000, 0.2, seed=2)).any()
    assert 0.15 < drawn[:500].mean() < 0.25


def test_the_uncertain_come_first_and_the_drawn_are_spread_evenly() -> None:
    uncertainty = np.linspace(0, 1, 100)
    drawn = draw(100, 0.2, seed=0)

    order = arrange(uncertainty, drawn)

    assert sorted(order) == list(range(100))
    others = [uncertainty[at] for at in order if not drawn[at]]
    assert others == sorted(others, reverse=True)
    for first in (10, 50, 75):
        assert abs(drawn[order[:first]].sum() - 0.2 * first) <= 1


def test_equal_uncertainty_has_no_order_of_its_own() -> None:
    order = arrange(np.zeros(50), np.zeros(50, dtype=bool), seed=3)

    assert sorted(order) == list(range(50))
    assert list(order) != list(range(50))


def test_a_batch_is_varied() -> None:
    corners = np.asarray([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    vectors = np.repeat(corners, 25, axis=0) + np.random.default_rng(0).normal(0, 0.1, (100, 2))

    picked = diverse_batch(vectors, np.ones(100), size=4)

    assert sorted(int(at) // 25 for at in picked) == [0, 1, 2, 3]


def test_variety_loses_and_repeats_nothing() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(300, 3))

    order = arrange(generator.random(300), np.zeros(300, dtype=bool), vectors=vectors, batch=5)

    assert sorted(order) == list(range(300))


def test_an_empty_queue_has_an_order() -> None:
    assert list(arrange([], np.zeros(0, dtype=bool))) == []
