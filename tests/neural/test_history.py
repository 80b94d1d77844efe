"""Rows become visits: sets of products under one basket, in time order."""

from pathlib import Path

import numpy as np
import pytest

from neural.data.history import History, expand, read_history
from neural.data.repeats import DECAYS, OwnProducts
from neural.data.trends import Trends
from neural.data.vocabulary import fit_vocabulary
from neural.windows import to_days
from tests.neural.shop import START, Row, event, write_dataset

DAY = to_days(START)


def history_of(tmp_path: Path, rows: list[Row], cuts: tuple[float, ...] = (DAY + 1000,)) -> History:
    dataset = write_dataset(tmp_path / "data", rows)
    vocabulary = fit_vocabulary(dataset, end=max(cuts))
    return read_history(dataset, vocabulary, outcome_kinds=("purchase",), cuts=cuts, until=max(cuts))


def test_lines_of_one_basket_are_one_visit_at_its_last_moment(tmp_path: Path) -> None:
    rows = [
        event("c1", 5.0, "b", basket="1", amount=3.0, quantity=2.0),
        event("c1", 5.25, "a", basket="1", amount=4.0),
        event("c1", 5.25, "a", basket="1", amount=5.0),
        event("c1", 9.0, "c", basket="2"),
    ]
    found = history_of(tmp_path, rows)
    assert found.customers == ["c1"]
    assert (found.visit_time - DAY).tolist() == pytest.approx([5.25, 9.0])
    assert found.visit_amount.tolist() == [12.0, 10.0]
    assert found.visit_quantity.tolist() == [4.0, 1.0]
    assert found.line_product.tolist() == [0, 1, 2]  # a and b once each, then c
    assert found.line_start.tolist() == [0, 2, 3]


def test_without_a_basket_the_same_moment_is_one_visit(tmp_path: Path) -> None:
    rows = [event("c1", 5.0, "a"), event("c1", 5.0, "b"), event("c1", 5.5, "c")]
    assert len(history_of(tmp_path, rows).visit_time) == 2


def test_kinds_are_kept_apart_and_events_without_a_product_have_no_lines(tmp_path: Path) -> None:
    rows = [event("c1", 5.0, "a", basket="1"), event("c1", 5.0, None, basket="1", kind="email")]
    found = history_of(tmp_path, rows)
    assert sorted(found.visit_outcome.tolist()) == [False, True]
    assert len(found.line_product) == 1


def test_a_basket_is_split_at_a_cut(tmp_path: Path) -> None:
    rows = [event("c1", 5.0, "a", basket="1"), event("c1", 5.5, "b", basket="1")]
    found = history_of(tmp_path, rows, cuts=(DAY + 5.2, DAY + 10))
    assert (found.visit_time - DAY).tolist() == pytest.approx([5.0, 5.5])


def test_an_event_at_the_query_itself_lies_not_before_it(tmp_path: Path) -> None:
    found = history_of(tmp_path, [event("c1", 5.0, "a"), event("c2", 5.0, "a"), event("c2", 6.0, "a")])
    at = np.array([DAY + 5.0, DAY + 6.0])
    assert found.before(np.array([0, 1]), at).tolist() == [0, 2]


def test_missing_quantity_and_amount_count_as_nothing(tmp_path: Path) -> None:
    found = history_of(tmp_path, [event("c1", 5.0, "a", quantity=None, amount=None)])
    assert (found.visit_quantity.tolist(), found.visit_amount.tolist()) == ([0.0], [0.0])


def test_expand_lays_ranges_end_to_end() -> None:
    owner, element = expand(np.array([0, 5, 9]), np.array([2, 5, 11]))
    assert owner.tolist() == [0, 0, 2, 2]
    assert element.tolist() == [0, 1, 9, 10]


def test_own_purchases_are_counted_and_decayed(tmp_path: Path) -> None:
    rows = [event("c1", 0.0, "a"), event("c1", 30.0, "a"), event("c1", 40.0, "b"), event("c2", 1.0, "b")]
    found = history_of(tmp_path, rows)
    own = OwnProducts(found).before(np.array([0]), np.array([DAY + 40.0]))
    assert own.product.tolist() == [0]  # b is bought at the query's own moment
    assert own.times.tolist() == [2]
    assert own.days_since.tolist() == pytest.approx([10.0])
    assert own.span.tolist() == pytest.approx([30.0])
    expected = [np.log1p(np.exp(-40 / decay) + np.exp(-10 / decay)) for decay in DECAYS]
    assert own.features[0, : len(DECAYS)].tolist() == pytest.approx(expected, rel=1e-5)
    assert own.features[0, len(DECAYS)] == pytest.approx(np.log(3))


def test_trends_count_whole_days_before_the_query(tmp_path: Path) -> None:
    rows = [event("c1", 1.0, "a"), event("c2", 9.0, "a"), event("c3", 9.0, "b"), event("c1", 10.2, "a")]
    trends = Trends(history_of(tmp_path, rows), products=2)
    day = int(DAY)
    assert trends.sales(day + 10, 7).tolist() == [1, 1]
    assert trends.sales(day + 10, 28).tolist() == [2, 1]
    assert trends.sales(day + 11, 1).tolist() == [1, 0]
    assert trends.sales(day - 400, 28).tolist() == [0, 0]
    assert trends.sales(day + 4000, 28).tolist() == [0, 0]
