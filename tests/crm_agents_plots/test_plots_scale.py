"""From values to pixels."""

import pytest

from crm_agents.plots.scale import Scale, number, pixels, spread, ticks


def test_a_scale_maps_its_ends_and_its_middle() -> None:
    scale = Scale(0, 10, 100, 200)

    assert [scale(0), scale(5), scale(10)] == [100, 150, 200]


def test_a_scale_may_run_downwards_and_clips_what_lies_outside() -> None:
    scale = Scale(0, 1, 200, 0)

    assert [scale(0.25), scale(-3), scale(7)] == [150, 200, 0]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0.58, 0.69, [0.6, 0.65]),
        (-5, 5, [-4, -2, 0, 2, 4]),
        (1, 3, [1, 1.5, 2, 2.5, 3]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_spread_moves_equal_values_apart_and_survives_none() -> None:
    assert spread([3, 1, 2]) == (1, 3)
    assert spread([2.0, 2.0]) == (1.8, 2.2)
    assert spread([0.0]) == (-1.0, 1.0)
    assert spread([]) == (0.0, 1.0)


def test_coordinates_never_carry_a_decimal_comma() -> None:
    assert [pixels(1 / 3), pixels(12)] == ["0.3", "12.0"]


def test_numbers_are_short() -> None:
    assert [number(3.0), number(0.78123), number(1234.5678), number(-0.5)] == ["3", "0.7812", "1235", "-0.5"]
