"""Which products go together, and that this is known from the past alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from handoff.config import TrainingConfig
from neural.data.similarity import ANCHOR_DAYS, MOST_ANCHORS, Neighbours, similar_products
from neural.data.world import Queries, World, training_world
from neural.tasks.next_product import NextProduct
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset

DAY = to_days(START)
AT = DAY + 300


def rows_of_pairs() -> list[Row]:
    """Half of the customers buy a, then b; the others buy c. Number 9 bought only a."""
    first = [event(f"c{n}", 10 + n, "a" if n % 2 else "c") for n in range(10)]
    return [*first, *(event(f"c{n}", 40 + n, "b") for n in range(1, 9, 2)), event("c0", 125, "c")]


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    dataset = write_dataset(tmp_path / "data", rows_of_pairs())
    return training_world(configure(NEXT_PRODUCT), dataset, train_end=DAY + 90, cuts=(DAY + 90, DAY + 118))


def test_products_of_the_same_customers_are_similar(world: World) -> None:
    found = similar_products(world, DAY + 90).toarray()
    assert (found > 0).tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_who_bought_one_product_is_close_to_the_other(world: World) -> None:
    found = Neighbours(world).closeness(Queries(np.array([0, 9]), np.full(2, DAY + 90))).toarray()
    assert found[1, 1] > 0 == found[1, 2]
    assert found[0].tolist() == pytest.approx([0, 0, np.log1p(10)])  # the only one is the usual one


def test_a_query_reads_the_newest_anchor_that_is_not_later(world: World) -> None:
    near = Neighbours(world)
    assert near.anchors.tolist() == [DAY + day for day in (34, 62, 90, 118)]
    closeness = near.closeness(Queries(np.array([9, 9, 9]), DAY + np.array([33.9, 61.9, 62.0]))).toarray()
    assert (closeness > 0).tolist() == [[False] * 3, [True, False, False], [True, True, False]]


def test_a_long_history_has_no_more_anchors(world: World) -> None:
    near = Neighbours(replace(world, start=DAY - 3650))
    assert len(near.anchors) <= MOST_ANCHORS + len(world.cuts)
    assert np.diff(near.anchors).max() > ANCHOR_DAYS


def test_a_product_sold_first_after_the_anchor_is_close_to_nothing(world: World) -> None:
    rows = [*rows_of_pairs(), event("c3", 80, "d")]
    dataset = write_dataset(Path(world.config.dataset).parent / "more", rows)
    late = training_world(world.config, dataset, train_end=DAY + 90, cuts=(DAY + 90, DAY + 118))
    found = Neighbours(late).closeness(Queries(np.array([3, 3]), DAY + np.array([85.0, 90.0]))).toarray()
    assert (found[:, 3] > 0).tolist() == [False, True]


def test_nothing_after_a_training_question_changes_a_bit_of_it(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    moment = START + timedelta(days=300)
    honest = shop_rows()
    new = [event(f"c{n:04d}", 300 + n / 50, "zz", basket=f"new{n}") for n in range(60)]
    changed = [{**row, "product": "p00"} for row in honest if row["at"] >= moment][::2]
    found = []
    for name, rows in (("one", honest), ("two", [*(r for r in honest if r["at"] < moment), *changed, *new])):
        dataset = write_dataset(tmp_path / name, rows)
        world = training_world(
            configure(NEXT_PRODUCT, dataset=str(dataset.folder)),
            dataset,
            train_end=AT,
            cuts=(AT + 15, AT + 60),
        )
        inputs = NextProduct(world).inputs(world.active(AT))
        found.append([inputs[f"pair_{name}"].numpy() for name in ("query", "product", "own", "features")])
    assert len(found[0][0]) > 100
    assert all(np.array_equal(mine, other) for mine, other in zip(*found, strict=True))


@pytest.mark.parametrize("rows", [[], [event("c1", 5, None, kind="complaint")], [event("c1", 5, "a")]])
def test_hardly_any_purchases_are_no_error(
    rows: list[Row], tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    dataset = write_dataset(tmp_path / "data", rows)
    world = training_world(configure(NEXT_PRODUCT), dataset, train_end=AT, cuts=(AT,))
    queries = world.with_history(AT)
    assert not Neighbours(world).closeness(queries).nnz
    assert similar_products(world, AT).shape == (len(world.vocabulary.products),) * 2
