"""The benchmark's own test of recommenders is the one that a training run takes, and nobody sees ahead."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import rankers
from benchmarks.peers.log import Log
from benchmarks.split import Split
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from neural.baselines.ranking import RANKERS
from neural.data.world import World, training_world
from neural.tasks.next_product import NextProduct
from neural.windows import Windows
from tests.neural.shop import NEXT_PRODUCT, SMALL, shop_rows, write_dataset

CUTOFF = "2020-03-10"  # midnight, as in the benchmark: sales are counted by whole days


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    dataset = write_dataset(tmp_path_factory.mktemp("shop"), shop_rows())
    return open_world(dataset)


def open_world(dataset: Dataset) -> World:
    values = {"dataset": str(dataset.folder), "test_cutoff": CUTOFF, **SMALL, **NEXT_PRODUCT}
    config = TrainingConfig.from_mapping(values)
    windows = Windows.choose(config, dataset.manifest)
    cuts = (windows.validation, windows.test, windows.end)
    return training_world(config, dataset, train_end=windows.validation, cuts=cuts)


@pytest.fixture(scope="module")
def split(world: World) -> Split:
    return Split(Log.of(world), world.cuts[1], float(world.config.horizon_days))


@pytest.mark.parametrize("name", ["popularity", "personal_top", "item_knn"])
def test_a_ranker_gets_the_figures_that_a_training_run_gives_it(
    world: World, split: Split, name: str
) -> None:
    told = NextProduct(world).measure_ranker(RANKERS[name](world, split.moment), split.moment)
    peer = getattr(rankers, name)(split.log, split.moment)
    found = split.values(split.of_everyone(split.lists(peer, split.everyone)))
    for metric, values in found.items():
        assert np.nanmean(values) == pytest.approx(told[metric], abs=1e-9), metric


@pytest.mark.parametrize("name", ["personal_top", "item_knn", "ease", "tifu_knn", "up_cf"])
def test_a_peer_does_not_see_what_comes_later(split: Split, name: str) -> None:
    log = split.log
    part = log.before(split.moment)
    columns = ("customer", "product", "basket", "time", "price")
    past = replace(log, **{column: getattr(log, column)[part] for column in columns})
    scores, before = (getattr(rankers, name)(each, split.moment)(split.customers) for each in (log, past))
    assert np.array_equal(scores, before)
    assert scores.any()


def test_the_re_ranker_does_not_see_what_comes_later(split: Split) -> None:
    pytest.importorskip("implicit")
    from benchmarks.peers.reranker import Moment

    log = split.log
    part = log.before(split.moment)
    columns = ("customer", "product", "basket", "time", "price")
    past = replace(log, **{column: getattr(log, column)[part] for column in columns})
    told, before = (Moment(each, split.moment).sample(split.customers) for each in (log, past))
    assert np.array_equal(told.product, before.product)
    for place, name in enumerate(told.names):
        assert np.allclose(told.values[:, place], before.values[:, place], atol=1e-4), name


def test_products_first_sold_in_the_window_are_ranked_by_who_can(tmp_path: Path) -> None:
    rows = [dict(row) for row in shop_rows()]
    for row in rows:
        if row["product"] is not None and row["at"] >= datetime.fromisoformat(f"{CUTOFF}T00:00Z"):
            row["product"] = f"{row['product']} II"  # a variant that nobody had bought before
    world = open_world(write_dataset(tmp_path, rows))
    split = Split(Log.of(world), world.cuts[1], float(world.config.horizon_days))
    assert split.cold.size.sum() > 0
    perfect = np.zeros((split.log.customers, split.log.products), np.float32)
    perfect[split.customers[split.cold.query], split.cold.product] = 1
    found = split.cold_values(lambda customers: perfect[customers])
    assert np.nanmean(found["ndcg@10_cold"]) == pytest.approx(1)
    assert np.nanmean(found["ndcg@10_cold_only"]) == pytest.approx(1)
    assert np.nanmean(split.cold_zeros()["ndcg@10_cold"]) == 0
