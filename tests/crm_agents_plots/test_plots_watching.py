from datetime import UTC, datetime

from crm_agents.plots import render
from crm_agents.plots.watching import Course, over_time, side_by_side

FIRST, SECOND = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)


def test_courses_share_the_days() -> None:
    plot = over_time(
        "drift",
        "Drift",
        "PSI",
        [Course("Inputs", [(FIRST, 0.1), (SECOND, 0.5)]), Course("Scores", [(FIRST, None), (SECOND, 0.2)])],
        limit=0.25,
    )
    assert plot is not None
    assert plot.rows == [("03/01/2026", "0.1", "–"), ("03/11/2026", "0.5", "0.2")]
    assert [line.series for line in plot.lines] == [0, 1, 2]  # the limit first
    assert [len(line.dots) for line in plot.lines] == [0, 2, 1]
    assert plot.lines[1].points == "58.0,204.4 450.0,14.0"
    assert [tick.label for tick in plot.x_ticks] == ["1 Mar", "11 Mar"]
    assert "crm-line-0" in render(plot)


def test_nothing_known_is_no_plot() -> None:
    assert over_time("x", "X", "y", [Course("a", [(FIRST, None)])]) is None
    assert over_time("x", "X", "y", []) is None
    assert side_by_side("x", "X", [0, 1], ([], []), ("a", "b")) is None
    assert side_by_side("x", "X", [0, 1], ([1.0], [0.5, 0.5]), ("a", "b")) is None


def test_one_day_is_a_plot_too() -> None:
    plot = over_time("x", "X", "y", [Course("a", [(FIRST, 0.5)])])
    assert plot is not None
    assert plot.lines[0].points == "254.0,133.0"  # in the middle


def test_distributions_stand_side_by_side() -> None:
    plot = side_by_side("x", "X", [0.2, 0.4], ([0.5, 0.25, 0.25], [0.2, 0.3, 0.5]), ("then", "now"))
    assert plot is not None
    assert plot.rows == [("< 0.2", "50.0", "20.0"), ("0.2 – 0.4", "25.0", "30.0"), ("≥ 0.4", "25.0", "50.0")]
    assert [bar.series for bar in plot.bars] == [1, 1, 1, 2, 2, 2]
    assert [tick.label for tick in plot.x_ticks] == ["0.2", "0.4"]
    closed = side_by_side("x", "X", [0.0, 0.5, 1.0], ([0.5, 0.5], [1.0, 0.0]), ("a", "b"))
    assert closed is not None
    assert [row[0] for row in closed.rows] == ["0 – 0.5", "0.5 – 1"]
