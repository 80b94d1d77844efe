"""Data that a CRM may well hold: no products at all, amounts that are no numbers or absurd."""

from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from handoff.config import TrainingConfig
from neural.data.history import LARGEST, History
from neural.data.world import training_world
from neural.training import train
from neural.windows import to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, event, shop_rows, write_dataset


def test_churn_needs_no_products(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    rows = [{**row, "product": None} for row in shop_rows(60)]
    dataset = write_dataset(tmp_path / "data", rows)
    run = tmp_path / "run"
    configure(CHURN, dataset=str(dataset.folder)).write(run)
    assert train(run).status == "succeeded"


def test_recommending_without_products_is_not_enough_data(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    rows = [{**row, "product": None} for row in shop_rows(60)]
    dataset = write_dataset(tmp_path / "data", rows)
    run = tmp_path / "run"
    configure(NEXT_PRODUCT, dataset=str(dataset.folder)).write(run)
    outcome = train(run)
    assert outcome.status == "not_enough_data"
    assert [fact["code"] for fact in outcome.missing] == ["no_examples"]


def history_of(folder: Path, config: TrainingConfig, amounts: list[float]) -> History:
    rows = [
        event("c1", day, "a", amount=amount, quantity=amount, basket=f"b{day}")
        for day, amount in enumerate(amounts)
    ]
    dataset = write_dataset(folder, rows)
    end = to_days(START) + 100
    return training_world(config, dataset, train_end=end, cuts=(end,)).history


@pytest.mark.parametrize("amount", [nan, inf, -inf])
def test_what_is_no_number_counts_as_nothing(
    amount: float, tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    history = history_of(tmp_path, configure(CHURN), [5.0, amount, 7.0])
    assert history.visit_amount.tolist() == [5.0, 0.0, 7.0]
    assert history.visit_quantity.tolist() == [5.0, 0.0, 7.0]


def test_an_absurd_amount_swallows_no_other(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    history = history_of(tmp_path, configure(CHURN), [1e300, -1e300, 7.0])
    assert history.visit_amount.tolist() == [LARGEST, -LARGEST, 7.0]
    assert np.cumsum(history.visit_amount)[-1] == 7.0
