"""Bars of a model card."""

from crm_agents.plots import comparison, confusion, histogram


def test_the_best_bar_is_the_longest_and_the_model_stands_out() -> None:
    plot = comparison("m", "ROC-AUC", [("This version", 0.8), ("Rule", 0.6)], note="Higher is better.")

    assert plot is not None
    assert [(bar.y, bar.width, bar.series) for bar in plot.bars] == [
        ("17.0", "400.0", 1),
        ("51.0", "300.0", 2),
    ]
    assert [label.text for label in plot.labels] == ["This version", "0.8", "Rule", "0.6"]
    assert plot.rows == [("This version", "0.8"), ("Rule", "0.6")]
    assert plot.height == 68


def test_a_baseline_without_the_metric_has_no_bar() -> None:
    plot = comparison("m", "ROC-AUC", [("This version", 0.8), ("Rule", None)])

    assert plot is not None
    assert len(plot.bars) == 1


def test_a_model_without_the_metric_is_not_compared() -> None:
    assert comparison("m", "ROC-AUC", [("This version", None), ("Rule", 0.6)]) is None
    assert comparison("m", "ROC-AUC", []) is None


def test_only_zeros_are_bars_without_length() -> None:
    plot = comparison("m", "ROC-AUC", [("This version", 0.0), ("Rule", 0.0)])

    assert plot is not None
    assert [bar.width for bar in plot.bars] == ["0.0", "0.0"]


def test_the_histogram_stacks_the_two_outcomes() -> None:
    plot = histogram(
        [
            {"from": 0.0, "to": 0.5, "positives": 10, "negatives": 30},
            {"from": 0.5, "to": 1.0, "positives": 20, "negatives": 0},
        ]
    )

    assert plot is not None
    assert [(bar.x, bar.y, bar.width, bar.height, bar.series) for bar in plot.bars] == [
        ("58.5", "73.5", "201.0", "178.5", 1),
        ("58.5", "14.0", "201.0", "59.5", 2),
        ("260.5", "252.0", "201.0", "0.0", 1),
        ("260.5", "133.0", "201.0", "119.0", 2),
    ]
    assert plot.rows == [("0", "0.5", "10", "30"), ("0.5", "1", "20", "0")]
    assert histogram([]) is None


def test_confusion_names_every_case_and_the_threshold() -> None:
    plot = confusion({"tp": 40, "fp": 10, "fn": 20, "tn": 30, "threshold": 0.5})

    assert plot is not None
    assert plot.rows == [
        ("Warned, and it happened", "40"),
        ("Warned, but it did not happen", "10"),
        ("Not warned, but it happened", "20"),
        ("Not warned, and it did not happen", "30"),
    ]
    assert plot.description == "Counted as warned from a score of 0.5."
    assert confusion({"tp": 40}) is None
