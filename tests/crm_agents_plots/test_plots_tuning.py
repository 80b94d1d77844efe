from crm_agents.plots import render
from crm_agents.plots.tuning import Dimension, TrialLine, importance, parallel_coordinates, range_test

RATE = Dimension("learning_rate", "learning rate", log=True)
BACKBONE = Dimension("backbone", "backbone", choices=("cnn", "rnn"))
VALUE = Dimension("value", "ROC-AUC")


def line(name: str, rate: float, backbone: str, value: float | None, state: str = "finished") -> TrialLine:
    return TrialLine(name, {"learning_rate": rate, "backbone": backbone, "value": value}, state)


def test_importance_is_sorted_and_told_in_a_table() -> None:
    plot = importance({"dropout": 0.2, "learning_rate": 0.8, "width": float("nan")})

    assert plot is not None
    assert plot.rows == [("learning_rate", "0.8"), ("dropout", "0.2")]
    assert [bar.width for bar in plot.bars] == ["400.0", "100.0"]
    assert importance({}) is None


def test_every_trial_is_a_line_across_its_settings() -> None:
    plot = parallel_coordinates(
        [RATE, BACKBONE, VALUE],
        [
            line("0", 0.001, "cnn", 0.6),
            line("1", 0.1, "rnn", 0.8, "best"),
            line("2", 0.01, "cnn", 0.7, "stopped"),
            line("3", 0.01, "cnn", None),
        ],
    )

    assert plot is not None
    axes, trials = plot.lines[:3], plot.lines[3:]
    assert {axis.series for axis in axes} == {6}
    # Below the others stands what was stopped, above them the best; logarithmic: 0.01 lies half way up.
    assert [trial.series for trial in trials] == [0, 5, 1]
    assert trials[0].points == "46.0,133.0 240.0,252.0 434.0,133.0"
    assert trials[1].points == "46.0,252.0 240.0,252.0 434.0,252.0"
    assert trials[2].points == "46.0,14.0 240.0,14.0 434.0,14.0"
    assert [row[0] for row in plot.rows] == ["0", "1", "2"]
    assert "cnn" in render(plot)


def test_one_trial_is_no_plot() -> None:
    assert parallel_coordinates([RATE, VALUE], [line("0", 0.001, "cnn", 0.6)]) is None


def test_many_settings_make_it_wider() -> None:
    dimensions = [Dimension(str(number), str(number)) for number in range(7)]
    values = {str(number): 1.0 for number in range(7)}
    plot = parallel_coordinates(dimensions, [TrialLine("0", values), TrialLine("1", values)])

    assert plot is not None
    assert plot.width == 716


def test_a_range_test_is_logarithmic_and_cuts_off_what_diverged() -> None:
    plot = range_test([[1e-5, 1.0], [1e-3, 0.6], [0.1, 900.0], [1, None]], 0.001)

    assert plot is not None
    curve, mark = plot.lines
    assert curve.points == "58.0,133.0 260.0,252.0 462.0,14.0"
    assert mark.points == "260.0,14 260.0,252"
    assert [tick.label for tick in plot.x_ticks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert plot.rows[2] == ("0.1", "900")
    assert "no rate is suggested" in str(range_test([[1e-5, 1.0], [1e-3, 0.6]], None).description)  # type: ignore[union-attr]
    assert range_test([[1e-5, 1.0]], None) is None
