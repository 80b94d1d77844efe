"""Curves of a model card."""

from crm_agents.plots import calibration, learning_loss, learning_metric, precision_recall, roc

EPOCHS = [
    {"epoch": 1, "train_loss": 0.7, "validation": {"roc_auc": 0.6}},
    {"epoch": 2, "train_loss": 0.6, "validation": {"roc_auc": 0.7}},
    {"epoch": 3, "train_loss": 0.5, "validation": {"roc_auc": 0.8}},
]


def test_the_loss_falls_from_the_upper_left_to_the_lower_right() -> None:
    plot = learning_loss(EPOCHS)

    assert plot is not None
    assert [line.points for line in plot.lines] == ["58.0,14.0 260.0,133.0 462.0,252.0"]
    assert [(tick.at, tick.label) for tick in plot.x_ticks] == [("58.0", "1"), ("260.0", "2"), ("462.0", "3")]
    assert plot.rows == [("1", "0.7"), ("2", "0.6"), ("3", "0.5")]
    assert plot.description == "From 0.7 after epoch 1 to 0.5 after epoch 3."


def test_a_validation_metric_is_named_in_title_axis_and_table() -> None:
    plot = learning_metric(EPOCHS, "roc_auc", "ROC-AUC")

    assert plot is not None
    assert (plot.title, plot.y_title, list(plot.heads)) == (
        "Validation ROC-AUC",
        "ROC-AUC",
        ["Epoch", "ROC-AUC"],
    )


def test_one_epoch_is_a_single_dot() -> None:
    plot = learning_loss(EPOCHS[:1])

    assert plot is not None
    assert plot.lines[0].dots == (("260.0", "133.0"),)


def test_nothing_measured_is_no_plot() -> None:
    assert learning_loss([]) is None
    assert learning_metric(EPOCHS, "brier", "Brier score") is None
    assert roc([]) is None
    assert precision_recall([]) is None
    assert calibration([]) is None


def test_missing_and_endless_values_are_left_out() -> None:
    plot = learning_loss(
        [*EPOCHS, {"epoch": 4, "train_loss": None}, {"epoch": 5, "train_loss": float("nan")}]
    )

    assert plot is not None
    assert len(plot.rows) == 3


def test_roc_is_drawn_over_the_diagonal_of_guessing() -> None:
    plot = roc([[0, 0], [0.5, 0.9], [1, 1]])

    assert plot is not None
    assert [(line.series, line.points) for line in plot.lines] == [
        (0, "58.0,252.0 462.0,14.0"),
        (1, "58.0,252.0 260.0,37.8 462.0,14.0"),
    ]


def test_precision_and_recall_have_no_diagonal() -> None:
    plot = precision_recall([[0, 1], [1, 0.5]])

    assert plot is not None
    assert [line.points for line in plot.lines] == ["58.0,14.0 462.0,133.0"]


def test_calibration_marks_each_bin() -> None:
    plot = calibration([{"predicted": 0.5, "observed": 0.25, "count": 8}])

    assert plot is not None
    assert plot.lines[1].dots == (("260.0", "192.5"),)
    assert plot.rows == [("0.5", "0.25")]
