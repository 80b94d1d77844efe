"""The churn table's counts, by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handoff.config import TrainingConfig
from neural.data.attributes import encode_attributes, fit_scale
from neural.data.table import Table
from neural.data.world import Queries, training_world
from neural.windows import to_days
from tests.neural.shop import CHURN, START, event, write_dataset

DAY = to_days(START)


@pytest.fixture
def table(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> Table:
    rows = [
        event("c1", 0, "a", amount=5.0),
        event("c1", 10, "a", amount=7.0),
        event("c1", 40, "b", amount=9.0),
        event("c1", 45, None, kind="complaint"),
        event("c1", 80, "b", amount=100.0),
        event("c2", 3, "a", amount=1.0),
    ]
    dataset = write_dataset(tmp_path / "data", rows)
    return Table(training_world(configure(CHURN), dataset, train_end=DAY + 90, cuts=(DAY + 90,)))


def ask(*questions: tuple[int, float]) -> Queries:
    return Queries(np.array([c for c, _ in questions]), DAY + np.array([day for _, day in questions]))


def test_counts_of_orders_money_and_cadence(table: Table) -> None:
    count, queries = table.counter, ask((0, 50.0), (1, 50.0))
    assert count.total(queries).tolist() == [3, 1]
    assert count.days_since(queries).tolist() == pytest.approx([10, 47])
    assert count.days_since(queries, back=2).tolist() == pytest.approx([40, 47])
    assert count.tenure(queries).tolist() == pytest.approx([50, 47])
    assert count.orders(queries, 40).tolist() == [2, 0]
    assert count.spend(queries, 40).tolist() == pytest.approx([16, 0])
    mean, spread = count.gap(queries)
    assert mean.tolist() == pytest.approx([20, 0])
    assert spread.tolist() == pytest.approx([10, 0])


def test_the_next_order_may_be_unknown(table: Table) -> None:
    assert table.counter.next_order(ask((0, 50.0), (0, 85.0), (1, 1.0))).tolist() == [30, np.inf, 2]


def test_other_kinds_are_counted_apart(table: Table) -> None:
    assert list(table.kinds) == ["complaint"]
    assert table.kinds["complaint"].count(ask((0, 50.0), (0, 44.0), (1, 50.0)), 90).tolist() == [1, 0, 0]


def test_columns_are_finite_numbers(table: Table) -> None:
    found = table.columns(ask((0, 50.0), (1, 50.0), (0, 85.0)))
    assert np.isfinite(found).all()
    assert found.dtype == np.float32


def test_attributes_become_words_and_standardised_numbers() -> None:
    rows = [{"area": "north", "size": 1.0, "tags": ["x", "y"]}, {"area": "north", "size": 3.0}, {}]
    found = encode_attributes(rows, fit_scale(rows))
    assert found.numbers.tolist() == [[-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    assert (found.words > 0).sum(axis=1).tolist() == [3, 1, 0]
    assert set(found.words[1]) - {0} < set(found.words[0])
