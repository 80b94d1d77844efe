"""What people said overrides what was derived: in training windows, exactly there, and nowhere else."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from handoff.config import TrainingConfig
from handoff.dataset import LABELS, Dataset, write_manifest, write_table
from handoff.files import read_json
from neural.data.world import Queries, training_world
from neural.heads import survival_loss
from neural.losses import set_loss
from neural.scoring import score
from neural.tasks.churn import Churn
from neural.tasks.next_product import NextProduct
from neural.training import train
from neural.windows import Windows, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, START, event, shop_rows, write_dataset

DAY = to_days(START)
Configure = Callable[..., TrainingConfig]
Label = dict[str, Any]


def time(day: float) -> datetime:
    return START + timedelta(days=day)


def label(customer: str, day: float, text: str, **values: Any) -> Label:
    base = {"agent": "churn", "subject": "customer", "key": "", "text": "", "said_at": time(day)}
    return {**base, "customer": customer, "at": time(day), "label": text, **values}


def verdict(customer: str, product: str, day: float, text: str, **values: Any) -> Label:
    return label(customer, day, text, **{"agent": "recommender", "subject": "item", "key": product, **values})


def with_labels(dataset: Dataset, labels: list[Label]) -> Dataset:
    write_table(dataset.folder, "labels", pl.DataFrame(labels, schema=LABELS), LABELS)
    write_manifest(dataset.folder, dataset.manifest)
    return Dataset.open(dataset.folder)


def churn_targets(
    tmp_path: Path, config: TrainingConfig, labels: list[Label], until: float = 200
) -> dict[str, list[float]]:
    """c1 buys 20 days after day 20, c2 never again; asked on the days 20 and 100."""
    rows = [event("c1", 0, "a"), event("c1", 40, "a"), event("c2", 0, "a"), event("c1", 300, "a")]
    dataset = with_labels(write_dataset(tmp_path / "data", rows), labels)
    world = training_world(config, dataset, train_end=DAY + 200, cuts=(DAY + 200,))
    queries = Queries(np.array([0, 0, 1, 1]), DAY + np.array([20.0, 100.0, 20.0, 100.0]))
    found = Churn(world).targets(queries, until=DAY + until)
    return {name: values.tolist() for name, values in found.items()}


@pytest.fixture
def config(configure: Configure) -> TrainingConfig:
    return configure(CHURN, horizon_days=56, label_weight=3.0)  # eight weeks


def test_without_labels_nothing_is_weighted(tmp_path: Path, config: TrainingConfig) -> None:
    derived = {"event_bin": [2, -1, -1, -1], "last_bin": [3, 8, 8, 8]}
    assert churn_targets(tmp_path / "a", config, []) == derived
    others = [
        label("c1", 30, "left", agent="recommender"),
        label("c1", 30, "can't tell"),
        label("c1", 30, "left", subject="interaction"),
        label("c9", 30, "left"),
        label("c1", 30, "dismissed"),
    ]
    assert churn_targets(tmp_path / "b", config, others) == derived


def test_left_and_stayed_override_the_windows_that_hold_them(tmp_path: Path, config: TrainingConfig) -> None:
    found = churn_targets(tmp_path, config, [label("c1", 30, "left"), label("c2", 100, "stayed")])
    assert found["event_bin"] == [-1, -1, -1, 8]  # 8: within the eight weeks, but nobody knows when
    assert found["last_bin"] == [8, 8, 8, 8]
    assert found["weight"] == [3.0, 1.0, 1.0, 3.0]


def test_a_window_begins_with_its_query_and_ends_before_the_horizon(
    tmp_path: Path, config: TrainingConfig
) -> None:
    for number, (day, weights) in enumerate(
        [(20, [3, 1, 1, 1]), (19.99, None), (75.99, [3, 1, 1, 1]), (76, None)]
    ):
        found = churn_targets(tmp_path / str(number), config, [label("c1", day, "left")])
        assert found.get("weight") == weights


def test_a_label_that_agrees_keeps_the_week_and_adds_its_weight(
    tmp_path: Path, config: TrainingConfig
) -> None:
    found = churn_targets(tmp_path, config, [label("c1", 30, "stayed")])
    assert found == {"event_bin": [2, -1, -1, -1], "last_bin": [3, 8, 8, 8], "weight": [3.0, 1.0, 1.0, 1.0]}


def test_feedback_to_a_warning_is_a_label_and_the_last_word_counts(
    tmp_path: Path, config: TrainingConfig
) -> None:
    said = [
        label("c1", 30, "accepted", said_at=time(50)),
        label("c2", 30, "left", said_at=time(40)),
        label("c2", 30, "wrong", said_at=time(60)),
    ]
    found = churn_targets(tmp_path, config, said)
    assert found["event_bin"] == [-1, -1, 8, -1]
    assert found["weight"] == [3.0, 1.0, 3.0, 1.0]


def test_a_window_that_reaches_beyond_the_end_of_training_keeps_what_was_derived(
    tmp_path: Path, config: TrainingConfig
) -> None:
    """The label lies on day 101, before the end; the window of 56 days ends on day 156, after it."""
    said = [label("c2", 101, "stayed")]
    assert "weight" not in churn_targets(tmp_path / "a", config, said, until=155)
    assert churn_targets(tmp_path / "b", config, said, until=156)["weight"] == [1, 1, 1, 3]


def test_labels_of_no_weight_are_not_used(tmp_path: Path, configure: Configure) -> None:
    config = configure(CHURN, horizon_days=56, label_weight=0.0)
    found = churn_targets(tmp_path, config, [label("c1", 30, "left")])
    assert found == {"event_bin": [2, -1, -1, -1], "last_bin": [3, 8, 8, 8]}


def test_who_stayed_at_an_unknown_time_counts_as_not_silent() -> None:
    logits = torch.tensor([[0.3, -1.0], [0.5, 0.2]])
    hazard = torch.sigmoid(logits)
    silent = ((1 - hazard[0, 0]) * (1 - hazard[0, 1])).item()
    first = -np.log(1 - silent)
    second = -np.log(((1 - hazard[1, 0]) * (1 - hazard[1, 1])).item())
    found = survival_loss(logits, torch.tensor([2, -1]), torch.tensor([2, 2]), torch.tensor([3.0, 1.0]))
    assert found.item() == pytest.approx((3 * first + second) / 4, rel=1e-5)


def test_a_pairs_weight_is_its_share_of_the_customers_mean() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    logs = torch.log_softmax(logits, dim=1)[0]
    found = set_loss(logits, torch.tensor([0, 0]), torch.tensor([0, 2]), torch.tensor([1.0, 3.0]))
    assert found.item() == pytest.approx(-(logs[0] + 3 * logs[2]).item() / 4, rel=1e-5)


def shop_targets(
    tmp_path: Path, configure: Configure, labels: list[Label], until: float = 90
) -> tuple[set[tuple[int, str]], dict[str, float]]:
    """c1 buys b on day 10, asked on the days 5 and 40; c2 buys nothing then. Horizon: 28 days."""
    rows = [event("c1", 0, "a"), event("c1", 10, "b"), event("c2", 0, "a"), event("c3", 80, "c")]
    dataset = with_labels(write_dataset(tmp_path / "data", rows), labels)
    config = configure(NEXT_PRODUCT, label_weight=2.0)
    world = training_world(config, dataset, train_end=DAY + 90, cuts=(DAY + 300,))
    queries = Queries(np.array([0, 0, 1]), DAY + np.array([5.0, 40.0, 5.0]))
    found = NextProduct(world).targets(queries, until=DAY + until)
    names = [world.vocabulary.products[number] for number in found["product"].tolist()]
    pairs = list(zip(found["query"].tolist(), names, strict=True))
    weights = found["weight"].tolist() if "weight" in found else [1.0] * len(pairs)
    return set(pairs), {
        f"{query}{name}": weight for (query, name), weight in zip(pairs, weights, strict=True)
    }


def test_an_accepted_product_is_a_target_of_the_windows_that_hold_it(
    tmp_path: Path, configure: Configure
) -> None:
    said = [verdict("c1", "c", 6, "accepted"), verdict("c2", "b", 6, "accepted")]
    pairs, weights = shop_targets(tmp_path, configure, said)
    assert pairs == {(0, "b"), (0, "c"), (2, "b")}
    assert weights == {"0b": 1.0, "0c": 2.0, "2b": 2.0}


def test_a_refused_product_is_no_target_though_it_was_bought(tmp_path: Path, configure: Configure) -> None:
    for number, word in enumerate(("wrong", "dismissed")):
        pairs, _ = shop_targets(tmp_path / str(number), configure, [verdict("c1", "b", 6, word)])
        assert pairs == set()
    elsewhere = [
        verdict("c1", "b", 33, "wrong"),  # the window of day 5 ends on day 33
        verdict("c1", "b", 6, "wrong", agent="churn"),
        verdict("c1", "never sold", 6, "accepted"),
        verdict("c9", "b", 6, "accepted"),
    ]
    assert shop_targets(tmp_path / "c", configure, elsewhere)[0] == {(0, "b")}


def test_the_last_verdict_on_a_product_counts(tmp_path: Path, configure: Configure) -> None:
    said = [
        verdict("c1", "c", 6, "accepted", said_at=time(7)),
        verdict("c1", "c", 6, "wrong", said_at=time(8)),
    ]
    assert shop_targets(tmp_path, configure, said)[0] == {(0, "b")}


def test_a_verdict_in_a_window_beyond_the_end_of_training_teaches_nothing(
    tmp_path: Path, configure: Configure
) -> None:
    said = [verdict("c1", "c", 41, "accepted")]
    assert shop_targets(tmp_path / "a", configure, said, until=67)[0] == {(0, "b")}
    assert shop_targets(tmp_path / "b", configure, said, until=68)[0] == {(0, "b"), (1, "c")}


def test_an_accepted_product_that_nobody_had_bought_yet_teaches_nothing(
    tmp_path: Path, configure: Configure
) -> None:
    """It has no place among the answers of training: only the catalogue, or a later sale, knows it."""
    rows = [*shop_rows(90), event("c0000", 419, "new")]
    said = [verdict(f"c{n:04d}", "new", 200, "accepted") for n in range(90)]
    dataset = with_labels(write_dataset(tmp_path / "data", rows), said)
    configure(NEXT_PRODUCT, dataset=str(dataset.folder)).write(tmp_path / "run")
    assert train(tmp_path / "run").status == "succeeded"
    assert read_json(tmp_path / "run" / "evaluation.json")["counts"]["labels"] == 0


def run(folder: Path, configure: Configure, base: dict[str, Any], labels: list[Label]) -> Path:
    dataset = with_labels(write_dataset(folder / "data", shop_rows(90)), labels)
    configure(base, dataset=str(dataset.folder)).write(folder / "run")
    assert train(folder / "run").status == "succeeded"
    return folder / "run"


def outcome(folder: Path) -> tuple[bytes, Any, Any, int]:
    record = read_json(folder / "evaluation.json")
    weights = (folder / "artifact" / "weights.safetensors").read_bytes()
    return weights, record["metrics"], record["validation"], record["counts"]["labels"]


@pytest.mark.parametrize(("base", "subject"), [(CHURN, "customer"), (NEXT_PRODUCT, "item")])
def test_labels_teach_before_the_validation_cut_off_and_not_a_bit_after(
    base: dict[str, Any], subject: str, tmp_path: Path, configure: Configure
) -> None:
    shop = write_dataset(tmp_path / "shop", shop_rows(90))
    windows = Windows.choose(configure(base), shop.manifest)
    cut = windows.validation - DAY

    def said(day: float) -> list[Label]:
        numbers = range(0, 90, 3)
        if subject == "customer":
            return [label(f"c{n:04d}", day, ("left", "stayed")[n % 2]) for n in numbers]
        return [verdict(f"c{n:04d}", f"p{n % 3}{n % 10}", day, ("accepted", "wrong")[n % 2]) for n in numbers]

    plain = outcome(run(tmp_path / "plain", configure, base, []))
    # No window of churn's ends on the cut-off itself; the newest of the recommender's does.
    almost = said(cut - 0.001) if base is CHURN else []
    late = [*said(cut), *said(cut + 1), *said(cut + windows.horizon), *almost]
    assert outcome(run(tmp_path / "late", configure, base, late)) == plain
    assert plain[3] == 0
    taught = outcome(run(tmp_path / "early", configure, base, said(cut - windows.horizon * 1.2)))
    assert taught[0] != plain[0]
    assert 10 < taught[3] <= 30


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recommender")
    rows = [*shop_rows(90), event("c7777", 10, None, kind="email")]
    dataset = write_dataset(folder / "data", rows)
    small = {"width": 16, "layers": 1, "epochs": 1, "pretrain_epochs": 0, "top_k": 40, "device": "cpu"}
    minimum = {"customers": 5, "purchases": 10, "days": 30}
    raw = {"dataset": str(dataset.folder), **NEXT_PRODUCT, **small, "minimum": minimum}
    TrainingConfig.from_mapping(raw).write(folder / "run")
    assert train(folder / "run").status == "succeeded"
    return folder / "run" / "artifact"


def offered(
    artifact: Path, folder: Path, labels: list[Label], extra: list[dict[str, Any]]
) -> dict[str, list[str]]:
    """What every customer is offered as of day 419."""
    rows = [*shop_rows(90), event("c7777", 10, None, kind="email"), *extra]
    dataset = with_labels(write_dataset(folder / "data", rows), labels)
    found = {}
    for shard in range(SHARDS):
        out = folder / f"{shard}.parquet"
        as_of = time(419).isoformat()
        score(artifact, dataset.folder, root=artifact.parent, shard=shard, as_of=as_of, out=out)
        for name, _, payload in pl.read_parquet(out).iter_rows():
            found[name] = [item["product"] for item in json.loads(payload)["items"]]
    return found


def test_what_staff_refused_is_not_offered_until_it_is_bought(recommender: Path, tmp_path: Path) -> None:
    """Customer n buys products of group n % 3 alone."""
    said = [
        verdict("c0001", "p20", 300, "wrong"),  # long ago
        verdict("c0002", "p00", 300, "wrong"),  # and bought since
        verdict("c0003", "p10", 400, "dismissed"),  # within the last 28 days
        verdict("c0004", "p00", 300, "dismissed"),  # longer ago
        verdict("c0005", "p10", 400, "wrong", said_at=time(401)),
        verdict("c0005", "p10", 400, "accepted", said_at=time(402)),  # another mind
        verdict("c0006", "p20", 418, "wrong", said_at=time(420)),  # not said yet
        verdict("c7777", "p00", 400, "wrong"),  # nobody knows this customer
    ]
    bought = [event("c0002", 310, "p00")]
    plain = offered(recommender, tmp_path / "plain", [], bought)
    found = offered(recommender, tmp_path / "said", said, bought)
    gone = {"c0001": "p20", "c0003": "p10", "c7777": "p00"}
    for name, products in plain.items():
        if name in gone:
            assert gone[name] in products
            assert found[name] == [product for product in products if product != gone[name]]
        else:
            assert found[name] == products
