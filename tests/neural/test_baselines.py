"""The simple rules that the models have to beat."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handoff.config import TrainingConfig
from neural.baselines.churn import RecencyRule
from neural.baselines.ranking import item_knn, personal_top, popularity
from neural.data.similarity import own_counts
from neural.data.world import World, training_world
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, event, write_dataset

DAY = to_days(START)
NOW = DAY + 100


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    rows = [
        event("c1", 10, "a"),
        event("c1", 90, "b"),
        event("c2", 95, "c"),
        event("c2", 95, "d"),
        event("c3", 96, "c"),
        event("c3", 97, "d"),
        event("c4", 98, "c"),
    ]
    dataset = write_dataset(tmp_path / "data", rows)
    return training_world(configure(NEXT_PRODUCT), dataset, train_end=NOW, cuts=(NOW,))


def test_own_counts_fade_with_age(world: World) -> None:
    found = own_counts(world, world.with_history(NOW), decay=180.0).toarray()
    assert found[0].tolist() == pytest.approx([np.exp(-90 / 180), np.exp(-10 / 180), 0, 0])
    assert found[1].tolist() == pytest.approx([0, 0, np.exp(-5 / 180), np.exp(-5 / 180)])


def test_popularity_is_the_last_four_weeks_for_everyone(world: World) -> None:
    found = popularity(world, NOW)(world.with_history(NOW))
    assert found.tolist() == [[0, 1, 3, 2]] * 4


def test_personal_top_puts_own_products_first_and_fills_up_with_the_popular(world: World) -> None:
    found = personal_top(world, NOW)(world.with_history(NOW))
    assert np.argsort(-found[0], kind="stable").tolist() == [1, 0, 2, 3]
    assert np.argsort(-found[3], kind="stable").tolist()[:2] == [2, 3]


def test_item_knn_offers_what_buyers_of_the_same_product_bought(world: World) -> None:
    found = item_knn(world, NOW)(world.with_history(NOW))
    assert found[3, 3] > 0  # c4 bought c, and who buys c buys d
    assert found[3, 0] == found[3, 1] == 0


def test_the_recency_rule_finds_the_dividing_day() -> None:
    since = np.array([1.0, 5.0, 20.0, 40.0, 60.0, 80.0])
    label = np.array([False, False, False, True, True, False])
    rule = RecencyRule.fit(since, label)
    assert (rule.days, rule.early) == (40, 0.0)
    assert rule.late == pytest.approx(2 / 3)
    assert rule.warns(np.array([39.9, 40.0])).tolist() == [False, True]
    assert rule.probability(np.array([1.0, 50.0])).tolist() == pytest.approx([0.0, 2 / 3])


def test_the_recency_rule_survives_an_empty_window() -> None:
    assert RecencyRule.fit(np.zeros(0), np.zeros(0, bool)).days == 0
