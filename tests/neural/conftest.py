"""The synthetic shop, written once, and configs over it."""

from collections.abc import Callable
from typing import Any

import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from tests.neural.shop import SMALL, shop_rows, write_dataset


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("shop"), shop_rows())


@pytest.fixture
def configure(shop: Dataset) -> Callable[..., TrainingConfig]:
    """Make a small config over the shop (or `dataset=`)."""

    def make(base: dict[str, Any], **values: Any) -> TrainingConfig:
        return TrainingConfig.from_mapping({"dataset": str(shop.folder), **SMALL, **base, **values})

    return make
