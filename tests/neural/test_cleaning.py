"""Cleaning: limits from the training window, the same for training and scoring, and none of the future."""

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handoff.config import Cleaning, TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from neural.artifacts import read_world
from neural.data.batches import make_batch
from neural.data.cleaning import Limits, fit_limits
from neural.data.world import training_world
from neural.scoring import score
from neural.tasks.churn import Churn
from neural.training import train
from neural.windows import to_days
from tests.neural.shop import CHURN, START, Row, event, shop_rows, write_dataset
from tests.neural.test_leakage import AT, tampered

DAY = to_days(START)
BOTH = {"duplicates": "drop", "outliers": "clip", "quantile": 0.99}
Configure = Callable[..., TrainingConfig]


def spent(dataset: Dataset, config: TrainingConfig, end: float = DAY + 50) -> list[float]:
    world = training_world(config, dataset, train_end=end, cuts=(DAY + 100,))
    return list(world.history.visit_amount)


def test_repeated_lines_count_once_if_that_is_asked_for(tmp_path: Path, configure: Configure) -> None:
    line = event("c1", 5, "a", amount=3.0, basket="1")
    other = {**line, "text": "not the same"}
    dataset = write_dataset(tmp_path / "data", [line, line, line, other, event("c1", 9, "a", amount=7.0)])
    assert spent(dataset, configure(CHURN)) == [12.0, 7.0]
    assert spent(dataset, configure(CHURN, cleaning={"duplicates": "drop"})) == [6.0, 7.0]


def test_amounts_are_clipped_at_the_training_windows_quantile(tmp_path: Path, configure: Configure) -> None:
    """Of eleven early amounts the 0.9 quantile is the tenth; a later one of 1e6 is clipped, not learnt."""
    early = [event("c1", day, "a", amount=float(day), quantity=2.0) for day in range(1, 12)]
    dataset = write_dataset(
        tmp_path / "data", [*early, event("c1", 60, "a", amount=1e6), event("c1", 61, "a", amount=-1e6)]
    )
    config = configure(CHURN, cleaning={"outliers": "clip", "quantile": 0.9})
    world = training_world(config, dataset, train_end=DAY + 50, cuts=(DAY + 100,))
    assert world.limits == Limits(quantity=2.0, amount=10.0)
    assert list(world.history.visit_amount) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, -10]
    assert fit_limits(dataset, Cleaning(), end=DAY + 50) == Limits()
    assert fit_limits(dataset, config.cleaning, end=DAY) == Limits()  # nothing lies before


def test_what_is_no_number_sets_no_limit(tmp_path: Path) -> None:
    strange = [event("c1", 1, "a", amount=float("inf")), event("c1", 2, "a", amount=float("nan"))]
    rows = [*strange, event("c1", 3, "a", amount=5.0), event("c1", 4, "a", amount=None)]
    dataset = write_dataset(tmp_path / "data", rows)
    clip = Cleaning(outliers="clip", quantile=1.0)
    assert fit_limits(dataset, clip, end=DAY + 50).amount == 5.0


def test_repeated_lines_do_not_move_the_limit_when_they_are_dropped(tmp_path: Path) -> None:
    big = event("c1", 1, "a", amount=100.0)
    rows = [*[big] * 50, *(event("c1", day, "a", amount=1.0) for day in range(2, 40))]
    dataset = write_dataset(tmp_path / "data", rows)
    keep, drop = (Cleaning(duplicates=way, outliers="clip", quantile=0.95) for way in ("keep", "drop"))
    assert fit_limits(dataset, keep, end=DAY + 50).amount == 100.0
    assert fit_limits(dataset, drop, end=DAY + 50).amount == 1.0


def test_cleaning_sees_nothing_later(tmp_path: Path, configure: Configure) -> None:
    """Events after the cut-off are doubled, made absurd and removed: not a bit before it changes."""
    config = configure(CHURN, cleaning=BOTH)
    rows = shop_rows()
    doubled: list[Row] = [*rows, *rows[::7]]
    honest, forged = (
        training_world(config, write_dataset(tmp_path / name, found), train_end=AT, cuts=(AT, AT + 60))
        for name, found in (("honest", doubled), ("forged", tampered(doubled)))
    )
    assert honest.limits == forged.limits != Limits()
    first, second = honest.active(AT), forged.active(AT)
    one, two = make_batch(honest, first), make_batch(forged, second)
    for item in fields(one):
        assert torch.equal(getattr(one, item.name), getattr(two, item.name)), item.name
    left, right = (Churn(world).table.columns(found) for world, found in ((honest, first), (forged, second)))
    assert np.array_equal(left, right)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rows = shop_rows(80)
    absurd = [event(f"c{n:04d}", 40 + n, "p00", amount=1e7, quantity=1e5) for n in range(10)]
    return write_dataset(tmp_path_factory.mktemp("dirty"), [*rows, *rows[::5], *absurd])


def test_limits_travel_in_the_artifact_and_apply_when_scoring(
    dirty: Dataset, tmp_path: Path, configure: Configure
) -> None:
    configure(CHURN, dataset=str(dirty.folder), cleaning=BOTH).write(tmp_path)
    assert train(tmp_path).status == "succeeded"
    artifact = tmp_path / "artifact"
    limits = read_json(artifact / "model.json")["limits"]
    assert limits == {"amount": 19.0, "quantity": 1.0}
    card = read_json(artifact / "model_card.json")
    assert card["cleaning"] == {**BOTH, **limits}
    # A newer dataset with amounts of another size is still cleaned as the model learnt it.
    dear = write_dataset(tmp_path / "dear", [{**row, "amount": row["amount"] * 50} for row in shop_rows(80)])
    world = read_world(artifact, dear, cuts=(DAY + 400,))
    lines = np.diff(world.history.line_start)
    assert world.history.visit_amount.max() <= 19.0 * lines.max()
    assert world.limits == Limits(**limits)


def test_a_clean_copy_and_a_dirty_one_score_alike(
    dirty: Dataset, tmp_path: Path, configure: Configure
) -> None:
    """Lines repeated after training change no answer of a model that drops them."""
    configure(CHURN, dataset=str(dirty.folder), cleaning=BOTH).write(tmp_path)
    train(tmp_path)
    as_of = (START + timedelta(days=419)).isoformat()
    found = []
    for name, rows in (("one", shop_rows(80)), ("two", [*shop_rows(80), *shop_rows(80)[::3]])):
        dataset = write_dataset(tmp_path / name, rows)
        out = tmp_path / f"{name}.parquet"
        score(tmp_path / "artifact", dataset.folder, root=tmp_path, shard=0, as_of=as_of, out=out)
        found.append(out.read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"duplicates": "maybe"}, "cleaning.duplicates is 'maybe'; it must be keep or drop"),
        ({"outliers": "drop"}, "cleaning.outliers is 'drop'"),
        ({"quantile": 0.2}, "cleaning.quantile is 0.2"),
        ({"scale": 2}, "Unknown setting scale"),
    ],
)
def test_a_wrong_setting_is_named(value: dict[str, Any], words: str, configure: Configure) -> None:
    with pytest.raises(HandoffError) as caught:
        configure(CHURN, cleaning=json.loads(json.dumps(value)))
    assert words in str(caught.value)
