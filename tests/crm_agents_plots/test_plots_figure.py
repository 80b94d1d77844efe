"""The markup of a plot."""

from xml.etree import ElementTree

from django.utils import translation

from crm_agents.plots import confusion, learning_loss, render, roc

LOSS = [{"epoch": 1, "train_loss": 0.75}, {"epoch": 2, "train_loss": 0.5}]


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)  # noqa: S314  our own markup


def test_a_figure_names_and_describes_itself_to_screen_readers() -> None:
    plot = roc([[0, 0], [1, 1]])
    assert plot is not None
    svg = parsed(render(plot)).find("svg")

    assert svg is not None
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-labelledby"] == "roc-title roc-desc"
    assert [(part.tag, part.attrib["id"], part.text) for part in svg[:2]] == [
        ("title", "roc-title", "ROC curve"),
        ("desc", "roc-desc", str(plot.description)),
    ]


def test_every_figure_of_the_plot_stands_in_its_table() -> None:
    plot = learning_loss(LOSS)
    assert plot is not None
    table = parsed(render(plot)).find("details//table")

    assert table is not None
    assert [cell.text for cell in table.iter("th")] == ["Epoch", "Loss"]
    assert [[cell.text for cell in row] for row in table.findall("tbody/tr")] == [["1", "0.75"], ["2", "0.5"]]


def test_markup_carries_no_style_of_its_own() -> None:
    plot = confusion({"tp": 40, "fp": 10, "fn": 20, "tn": 30, "threshold": 0.5})
    assert plot is not None

    assert [
        part for part in parsed(render(plot)).iter() if {"style", "fill", "stroke"} & set(part.attrib)
    ] == []


def test_a_language_with_decimal_commas_leaves_the_coordinates_alone() -> None:
    plot = learning_loss(LOSS)
    assert plot is not None
    with translation.override("de"):
        svg = parsed(render(plot)).find("svg")

    assert svg is not None
    line = svg.find("polyline")
    assert line is not None
    assert line.attrib["points"] == "58.0,14.0 462.0,252.0"
    assert svg.attrib["viewBox"] == "0 0 480 300"
