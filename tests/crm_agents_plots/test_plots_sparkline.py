"""The small line of a run page."""

from crm_agents.plots import sparkline


def test_a_line_runs_over_the_whole_width_and_height() -> None:
    assert sparkline([3.0, 2.0, 1.0]) == "0.0,2.0 150.0,30.0 300.0,58.0"


def test_fewer_than_two_values_make_no_line() -> None:
    assert sparkline([]) == ""
    assert sparkline([1.0]) == ""
    assert sparkline([1.0, None]) == ""


def test_many_values_are_thinned_and_the_newest_stays() -> None:
    points = sparkline([float(value) for value in range(1000)], most=100).split(" ")

    assert len(points) == 100
    assert points[-1] == "300.0,2.0"


def test_equal_values_are_a_level_line() -> None:
    assert sparkline([0.5, 0.5]) == "0.0,30.0 300.0,30.0"
