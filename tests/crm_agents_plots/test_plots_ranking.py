"""Plots of recommendations, slices and intervals."""

from crm_agents.plots import Range, by_customer, by_length, comparison, popularity, ranges, render


def test_a_longer_list_has_a_line_for_each_method() -> None:
    plot = by_length(
        "n", "NDCG", [("This version", [[1, 0.2], [20, 0.4]]), ("Popular", [[1, 0.1], [20, 0.2]])]
    )

    assert plot is not None
    assert [(line.series, line.points) for line in plot.lines] == [
        (1, "78.2,133.0 462.0,14.0"),
        (2, "78.2,192.5 462.0,133.0"),
    ]
    assert plot.rows == [("1", "0.2", "0.1"), ("20", "0.4", "0.2")]
    assert plot.legend == [(1, "This version"), (2, "Popular")]


def test_without_the_models_own_line_there_is_no_plot() -> None:
    assert by_length("n", "NDCG", []) is None
    assert by_length("n", "NDCG", [("This version", []), ("Popular", [[1, 0.1]])]) is None


def test_a_method_without_a_length_has_a_dash_there() -> None:
    plot = by_length("n", "NDCG", [("This version", [[1, 0.0], [2, 0.0]]), ("Popular", [[1, 0.0]])])

    assert plot is not None
    assert plot.rows == [("1", "0", "0"), ("2", "0", "–")]


def test_customers_are_counted_by_how_well_they_were_served() -> None:
    plot = by_customer(
        [{"from": 0.0, "to": 0.5, "count": 4}, {"from": 0.5, "to": 1.0, "count": 2}], "NDCG@10"
    )

    assert plot is not None
    assert [(bar.y, bar.height) for bar in plot.bars] == [("14.0", "238.0"), ("133.0", "119.0")]
    assert plot.rows == [("0", "0.5", "4"), ("0.5", "1", "2")]
    assert by_customer([{"from": 0.0, "to": 1.0, "count": 0}], "NDCG@10") is None


def test_popularity_sets_what_is_listed_beside_what_was_bought() -> None:
    plot = popularity(
        [{"upto": 0.05, "listed": 0.5, "bought": 0.25}, {"upto": 1.0, "listed": 0.5, "bought": 0.75}]
    )

    assert plot is not None
    assert [bar.series for bar in plot.bars] == [1, 2, 1, 2]
    assert [bar.height for bar in plot.bars] == ["119.0", "59.5", "119.0", "178.5"]
    assert [row[0] for row in plot.rows] == ["0–5 %", "5–100 %"]
    assert popularity([{"upto": 1.0}]) is None


def test_a_slice_is_a_dot_on_its_range_over_the_value_of_all() -> None:
    plot = ranges(
        "s", "Slices", [Range("a", 0.5, 0.4, 0.6, weak=True), Range("b", 0.8, 0.7, 0.9)], overall=0.65
    )

    assert plot is not None
    assert [(line.series, line.points, line.dots) for line in plot.lines] == [
        (0, "240.0,0 240.0,68", ()),
        (2, "12.0,23.0 194.4,23.0", (("103.2", "23.0"),)),
        (1, "285.6,57.0 468.0,57.0", (("376.8", "57.0"),)),
    ]
    assert plot.rows == [("a", "0.5", "0.4", "0.6"), ("b", "0.8", "0.7", "0.9")]
    assert plot.height == 2 * 34 + 30
    assert "</svg>" in render(plot)
    assert ranges("s", "Slices", [], overall=0.5) is None


def test_equal_values_without_an_interval_are_drawn_all_the_same() -> None:
    plot = ranges("s", "Slices", [Range("a", 1.0, 1.0, 1.0)], overall=None)

    assert plot is not None
    assert plot.lines[0].dots == (("240.0", "23.0"),)


def test_an_interval_is_a_whisker_over_its_bar() -> None:
    plot = comparison(
        "m",
        "AUC",
        [("This version", 0.8), ("Rule", 0.6)],
        intervals={"This version": (0.7, 1.0), "Rule": (None, None)},
    )

    assert plot is not None
    assert [bar.width for bar in plot.bars] == ["320.0", "240.0"]
    assert [(line.series, line.points) for line in plot.lines] == [
        (7, "280.0,19.0 280.0,27.0 280.0,23.0 400.0,23.0 400.0,19.0 400.0,27.0")
    ]
    assert plot.rows == [("This version", "0.8", "0.7", "1"), ("Rule", "0.6", "–", "–")]
    assert [label.x for label in plot.labels] == ["0", "406.0", "0", "246.0"]
