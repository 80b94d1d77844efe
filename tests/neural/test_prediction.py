"""Answers come in batches whose memory does not grow with the catalogue."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from handoff.config import TrainingConfig
from neural.data.world import training_world
from neural.model import Model, shape_of
from neural.prediction import BATCH, CELLS, answers, at_once
from neural.tasks.next_product import NextProduct
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, SMALL, START, shop_rows, write_dataset


def test_the_larger_the_catalogue_the_fewer_customers_are_asked_about_together() -> None:
    widths = (0, 1, 5_000, 100_000, 10**6, 10**9)
    assert [at_once(width) for width in widths] == [BATCH, BATCH, BATCH, 40, 16, 16]
    assert all(at_once(width) * width <= CELLS for width in (1, 5_000, 100_000))


def test_the_answers_are_the_same_however_many_are_asked_together(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    dataset = write_dataset(tmp_path / "data", shop_rows(60))
    config = configure({**SMALL, **NEXT_PRODUCT}, dataset=str(dataset.folder))
    end = to_days(START) + 400
    world = training_world(config, dataset, train_end=end, cuts=(end,))
    task, shape = NextProduct(world), shape_of(world, calendar=True)
    torch.manual_seed(0)
    model, queries = Model(shape, task.head(shape), world.vocabulary), world.with_history(end)
    found, sizes = [], []
    for width in (1, CELLS):
        joined = np.zeros((len(queries), len(world.vocabulary.products)), np.float32)
        parts = list(answers(model, world, queries, task.inputs, width))
        for index, _, scores in parts:
            joined[index] = scores
        found.append(joined)
        sizes.append(max(len(index) for index, _, _ in parts))
    assert sizes == [len(queries), 16]
    assert found[0] == pytest.approx(found[1], abs=1e-4)
