"""Augmentation changes what it says, nothing that is asked, and at 0 not one bit."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from neural.augmentation import Augmentation, augment, crop
from neural.data.batches import Batch, make_batch
from neural.data.world import Queries, World, training_world
from neural.lessons import EventLessons
from neural.tasks.churn import Churn
from neural.windows import Windows, to_days
from tests.neural.shop import CHURN, START, event, write_dataset

DAY = to_days(START)
NOTHING = Augmentation()


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    """One customer with five visits: two within a week, two within another, and one alone."""
    baskets = {0: "abc", 3: "de", 40: "ac", 44: "b", 100: "abcde"}
    rows = [
        event("c1", day, product, basket=f"b{day}", amount=10.0 * (day + 1))
        for day, products in baskets.items()
        for product in products
    ]
    dataset = write_dataset(tmp_path / "data", rows)
    return training_world(configure(CHURN), dataset, train_end=DAY + 200, cuts=(DAY + 200,))


def asked(*days: float) -> Queries:
    return Queries(np.zeros(len(days), np.int64), DAY + np.array(days))


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def visits(batch: Batch) -> list[str]:
    """Products of each visit, as letters."""
    stops = [*batch.bag_start.tolist()[1:], len(batch.bag)]
    return [
        "".join("abcde"[number] for number in sorted(batch.bag[start:stop].tolist()))
        for start, stop in zip(batch.bag_start.tolist(), stops, strict=True)
    ]


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, item.name), getattr(other, item.name)) for item in fields(Batch))


def test_no_augmentation_changes_no_bit_and_draws_no_number(world: World) -> None:
    batch, source = make_batch(world, asked(150)), rng()
    assert augment(batch, NOTHING, source) is batch
    queries = asked(150)
    assert crop(world, queries, 0.0, source) == (queries, None)
    assert source.random() == rng().random()


def test_the_same_numbers_augment_the_same_way(world: World) -> None:
    amounts = Augmentation(mask=0.5, reorder=0.5, drop=0.5)
    batch = make_batch(world, asked(150))
    assert same(augment(batch, amounts, rng()), augment(batch, amounts, rng()))
    assert not same(augment(batch, amounts, rng()), augment(batch, amounts, np.random.default_rng(4)))


def test_nothing_that_is_asked_is_touched(world: World) -> None:
    batch = make_batch(world, asked(50, 150))
    found = augment(batch, Augmentation(mask=0.9, reorder=1.0, drop=0.9), rng())
    for name in ("row", "position", "query_numbers", "words", "facts"):
        assert torch.equal(getattr(found, name), getattr(batch, name))
    assert torch.equal(found.numbers[..., 3:], batch.numbers[..., 3:])  # the times of the visits


def test_neighbours_of_one_week_change_places_with_all_they_hold(world: World) -> None:
    batch = make_batch(world, asked(150))
    found = augment(batch, Augmentation(reorder=1.0), rng())
    assert visits(batch) == ["abc", "de", "ac", "b", "abcde"]
    assert visits(found) == ["de", "abc", "b", "ac", "abcde"]
    order = [1, 0, 3, 2, 4]
    assert torch.equal(found.numbers[0, :, :3], batch.numbers[0, order, :3])
    assert torch.equal(
        found.bag_weight, torch.tensor([1 / 2] * 2 + [1 / 3] * 3 + [1] + [1 / 2] * 2 + [1 / 5] * 5)
    )


def test_no_visit_comes_before_a_question_that_was_asked_before_it(world: World) -> None:
    """Asked on day 41, between the visits of days 40 and 44, and on day 2."""
    batch = make_batch(world, asked(2, 41, 150))
    found = augment(batch, Augmentation(reorder=1.0), rng())
    assert visits(found) == visits(batch)


def test_padding_stays_empty(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    rows = [event("c1", day, "a") for day in (0, 1, 2, 3)] + [event("c2", 0, "b")]
    dataset = write_dataset(tmp_path / "data", rows)
    world = training_world(configure(CHURN), dataset, train_end=DAY + 90, cuts=(DAY + 90,))
    batch = make_batch(world, Queries(np.array([0, 1]), np.full(2, DAY + 50.0)))
    found = augment(batch, Augmentation(reorder=1.0, drop=0.5, mask=0.1), rng())
    assert batch.kind.shape == (2, 4)
    assert found.bag_start.tolist()[5:] == [len(found.bag)] * 3
    assert not found.kind[1, 1:].any()
    assert not found.numbers[1, 1:].any()


def test_dropped_products_leave_at_least_one_and_share_the_weight(world: World) -> None:
    batch = make_batch(world, asked(150))
    found = augment(batch, Augmentation(drop=0.99), rng())
    assert [len(visit) for visit in visits(found)] == [1, 1, 1, 1, 1]
    assert all(left in before for left, before in zip(visits(found), visits(batch), strict=True))
    assert found.bag_weight.tolist() == [1.0] * 5
    assert torch.allclose(found.numbers[0, :, 2], torch.full((5,), np.log1p(1) / 3, dtype=torch.float32))
    assert torch.equal(found.numbers[..., :2], batch.numbers[..., :2])


def test_masked_visits_keep_their_time_alone(world: World) -> None:
    batch = make_batch(world, asked(150))
    found = augment(batch, Augmentation(mask=0.5), rng())
    hidden = [number for number, visit in enumerate(visits(found)) if not visit]
    assert 0 < len(hidden) < 5
    for number in range(5):
        if number in hidden:
            assert found.kind[0, number] == 0
            assert not found.numbers[0, number, :3].any()
        else:
            assert visits(found)[number] == visits(batch)[number]
            assert torch.equal(found.numbers[0, number], batch.numbers[0, number])


def test_a_cropped_history_begins_later_and_answers_no_question_before(world: World) -> None:
    """Over many draws every beginning occurs, and each query kept still has a visit before it."""
    queries, begins = asked(2, 41, 150), set()
    for seed in range(40):
        kept, first = crop(world, queries, 1.0, np.random.default_rng(seed))
        assert first is not None
        begins.add(int(first[0]))
        batch = make_batch(world, kept, first)
        assert visits(batch) == ["abc", "de", "ac", "b", "abcde"][first[0] :]
        assert (batch.position >= 0).all()
        assert kept.time.tolist() == [
            time for time in queries.time if time > world.history.visit_time[first[0]]
        ]
        assert kept.time[-1] == queries.time[-1]
    assert begins == {0, 1, 2, 3, 4}


def test_a_crop_leaves_tenure_and_the_heads_table_as_they_were(world: World) -> None:
    kept, first = crop(world, asked(150), 1.0, np.random.default_rng(1))
    assert first is not None
    assert first[0] > 0
    whole, cropped = make_batch(world, asked(150)), make_batch(world, kept, first)
    assert torch.equal(whole.query_numbers, cropped.query_numbers)


@pytest.mark.parametrize("name", ["augment_crop", "augment_mask", "augment_drop"])
def test_a_lesson_is_augmented_by_each_setting(
    name: str, shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    losses = []
    for amount in (0.0, 0.6):
        config = configure(CHURN, dropout=0.0, **{name: amount})
        windows = Windows.choose(config, shop.manifest)
        world = training_world(
            config, shop, train_end=windows.validation, cuts=(windows.validation, windows.test)
        )
        losses.append(_loss(world, windows))
    assert losses[0] != losses[1]


def _loss(world: World, windows: Windows) -> Any:
    from neural.model import Model, shape_of

    task = Churn(world)
    task.prepare(windows)
    torch.manual_seed(0)
    shape = shape_of(world, task.calendar)
    model = Model(shape, task.head(shape), world.vocabulary).eval()
    lessons = EventLessons(world, windows, task)
    return lessons.loss(model, lessons.epoch(rng())[0], rng()).item()
