"""Both tasks on every backbone, and whether they learn what was planted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handoff.config import BACKBONES, TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.progress import ProgressReader
from neural.data.world import Queries, training_world
from neural.tasks import find_task
from neural.tasks.churn import Churn
from neural.tasks.next_product import NextProduct
from neural.training import train
from neural.windows import Windows, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, Row, event, write_dataset

BASES = {"next_product": NEXT_PRODUCT, "churn": CHURN}
CHURN_METRICS = {
    *("roc_auc", "pr_auc", "brier", "log_loss", "ece"),
    *("accuracy", "precision", "recall", "f1", "lift@10"),
}
RANKING_METRICS = {
    f"{name}{suffix}"
    for name in (
        *("ndcg@10", "recall@10", "recall@20", "precision@10", "map@10", "hit@10"),
        *("coverage@10", "novelty@10"),
    )
    for suffix in ("", "_new")
}


class OnlyChurn(Churn):
    """A third party's task: it names itself in the config and changes what it likes."""

    metric = "roc_auc"


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("task", sorted(BASES))
def test_a_backbone_trains_and_is_evaluated(
    task: str, backbone: str, tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(BASES[task], backbone=backbone).write(tmp_path)
    assert train(tmp_path).status == "succeeded"
    record = read_json(tmp_path / "evaluation.json")
    assert set(record) == {
        *("windows", "counts", "metrics", "validation", "curves", "intervals", "slices"),
        *("seconds", "start"),
    }
    assert set(record["metrics"]["model"]) == (CHURN_METRICS if task == "churn" else RANKING_METRICS)
    assert set(record["metrics"]["baselines"]) == set(BASES[task]["baselines"])
    assert record["curves"]["learning"][0]["epoch"] == 1
    phases = {line.phase for line in ProgressReader(tmp_path).read()}
    assert phases == {"preparing", "pretraining", "training", "evaluating"}
    assert sorted(path.name for path in (tmp_path / "artifact").iterdir()) == [
        "calibration.json",
        "config.json",
        "manifest.json",
        "model.json",
        "model_card.json",
        "reference.json",
        "vocabulary.json",
        "weights.safetensors",
    ]


def test_the_recommender_learns_the_planted_walk(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    """The next products follow from the last ones: neither popularity nor one's own habits know them."""
    configure(NEXT_PRODUCT, epochs=10, patience=10, learning_rate=0.01, pretrain_epochs=2).write(tmp_path)
    train(tmp_path)
    metrics = read_json(tmp_path / "evaluation.json")["metrics"]
    ours = metrics["model"]["map@10"]
    assert ours > 1.5 * metrics["baselines"]["popularity"]["map@10"]
    assert ours > 1.1 * metrics["baselines"]["personal_top"]["map@10"]


def uneven_rows() -> list[Row]:
    """Every other customer buys each 5 days, the others each 40; half of either kind stop one day."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(240):
        cycle = (5.0, 40.0)[number % 2]
        stops = rng.uniform(150, 460) if number % 4 < 2 else np.inf
        day = rng.uniform(0, cycle)
        while day < min(480, stops):
            rows.append(event(f"c{number:04d}", round(day, 3), f"p{number % 3}"))
            day += cycle * rng.uniform(0.8, 1.2)
    return rows


def test_churn_learns_that_silence_means_less_in_a_slow_customer(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    """No rule of N days can know it. Seeds 0 to 3 reach .921 to .932, the rule .895."""
    dataset = write_dataset(tmp_path / "data", uneven_rows())
    run = tmp_path / "run"
    patient = {"epochs": 14, "patience": 14, "learning_rate": 0.01}
    configure(CHURN, dataset=str(dataset.folder), active_days=120, **patient).write(run)
    train(run)
    record = read_json(run / "evaluation.json")
    ours, rule = record["metrics"]["model"], record["metrics"]["baselines"]["recency_rule"]
    assert ours["roc_auc"] > rule["roc_auc"] + 0.01
    assert ours["brier"] < rule["brier"] < record["metrics"]["baselines"]["base_rate"]["brier"]
    assert rule["days"] > 0


def test_churn_targets_by_hand(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    rows = [event("c1", 0, "a"), event("c1", 40, "a"), event("c2", 0, "a"), event("c2", 200, "a")]
    dataset = write_dataset(tmp_path / "data", rows)
    day = to_days(START)
    config = configure(CHURN, horizon_days=56)  # eight bins of a week
    world = training_world(config, dataset, train_end=day + 300, cuts=(day + 300,))
    task = Churn(world)
    queries = Queries(np.array([0, 0, 1, 1]), day + np.array([20.0, 50.0, 20.0, 160.0]))
    found = task.targets(queries, until=day + 60)
    assert found["event_bin"].tolist() == [2, -1, -1, -1]  # c1 buys 20 days on: in the third week
    assert found["last_bin"].tolist() == [3, 1, 5, 0]  # observed weeks; 160 lies after the end of training
    assert task.bins == 8


def test_a_purchase_in_a_week_half_observed_counts_as_little_as_none(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    """Whoever did not buy in that week is censored at its beginning, so whoever did must be too."""
    rows = [event("c1", 0, "a"), event("c1", 42, "a"), event("c2", 0, "a")]
    dataset = write_dataset(tmp_path / "data", rows)
    day = to_days(START)
    config = configure(CHURN, horizon_days=56)
    task = Churn(training_world(config, dataset, train_end=day + 300, cuts=(day + 300,)))
    queries = Queries(np.array([0, 1]), day + np.array([20.0, 20.0]))
    found = task.targets(queries, until=day + 44)  # three weeks and three days on
    assert found["event_bin"].tolist() == [-1, -1]
    assert found["last_bin"].tolist() == [3, 3]
    whole = task.targets(queries, until=day + 48)
    assert whole["event_bin"].tolist() == [3, -1]
    assert whole["last_bin"].tolist() == [4, 4]


def test_a_time_without_customers_tells_of_no_season(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    """Closed from day 100 to day 300: nobody is active then, and nothing is known of that season."""
    open_days = [*range(0, 100, 10), *range(300, 600, 10)]
    rows = [event(f"c{number}", day + number / 20, "a") for number in range(20) for day in open_days]
    dataset = write_dataset(tmp_path / "data", rows)
    run = tmp_path / "run"
    configure(CHURN, dataset=str(dataset.folder), active_days=40).write(run)
    assert train(run).status == "succeeded"
    known = read_json(run / "artifact" / "calibration.json")["season"]
    days = [cutoff - to_days(START) for cutoff, _ in known]
    assert len(days) > 3
    assert not [day for day in days if 140 < day < 300]


def test_next_product_targets_are_the_set_of_the_horizon(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    rows = [event("c1", 0, "a"), event("c1", 10, "b"), event("c1", 12, "b"), event("c1", 50, "c")]
    dataset = write_dataset(tmp_path / "data", rows)
    day = to_days(START)
    world = training_world(configure(NEXT_PRODUCT), dataset, train_end=day + 90, cuts=(day + 90,))
    queries = Queries(np.array([0, 0]), day + np.array([5.0, 12.0]))
    found = NextProduct(world).targets(queries, until=day + 90)
    assert found["query"].tolist() == [0, 1]
    assert found["product"].tolist() == [1, 1]


def test_training_questions_lie_inside_the_training_window(
    shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    for base, task in ((NEXT_PRODUCT, NextProduct), (CHURN, Churn)):
        config = configure(base)
        windows = Windows.choose(config, shop.manifest)
        world = training_world(
            config, shop, train_end=windows.validation, cuts=(windows.validation, windows.end)
        )
        queries = task(world).training_queries(windows, np.random.default_rng(1))
        assert len(queries) > 300
        assert queries.time.max() < windows.validation
        assert (np.diff(queries.customer) >= 0).all()


def test_a_third_partys_task_is_found_by_its_path(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(CHURN, task="tests.neural.test_tasks:OnlyChurn").write(tmp_path)
    assert train(tmp_path).status == "succeeded"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spend", "task is 'spend'; choose next_product, churn or name a class as \"package.module:Class\"."),
        ("no.such.module:Task", "cannot be imported"),
        ("pathlib:Path", "is not a subclass of neural.tasks.base.Task"),
    ],
)
def test_an_unknown_task_is_named(name: str, words: str) -> None:
    with pytest.raises(HandoffError) as caught:
        find_task(name)
    assert words in str(caught.value)


def test_the_same_config_gives_the_same_weights(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        configure(CHURN, dropout=0.3).write(folder)
        train(folder)
    first, second = ((folder / "artifact/weights.safetensors").read_bytes() for folder in folders)
    assert first == second
