"""Scoring a shard before what is kept of everybody is scoring it with everybody in memory, bit for bit."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset, shard_of
from handoff.files import read_json
from handoff.profiles import profile_path
from handoff.scores import SCORES, side_path
from neural import crowds
from neural.artifacts import open_artifact
from neural.crowds import crowd_for
from neural.scoring import score
from neural.training import train
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, SHARDS, SMALL, START, event, shop_rows, write_dataset

DAY = to_days(START)
CUTS = (DAY + 380, DAY + 410)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rows = [*shop_rows(120), event("c7777", 10, None, kind="email")]
    return write_dataset(tmp_path_factory.mktemp("crowds"), rows)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("recommender")
    values = {**SMALL, **NEXT_PRODUCT, "dataset": str(dataset.folder), "top_k": 12}
    TrainingConfig.from_mapping(values).write(folder)
    assert train(folder).status == "succeeded"
    return folder / "artifact"


def files(artifact: Path, dataset: Dataset, out: Path, shard: int) -> dict[str, Any]:
    """Everything that scoring one shard leaves for others to read."""
    path, as_of = out / f"shard-{shard}.parquet", dataset.manifest.last_event
    assert as_of is not None
    score(artifact, dataset.folder, root=artifact.parent, shard=shard, as_of=as_of, out=path)
    sides = {name: side_path(path, name) for name in ("audience", "relations")}
    found = {name: pl.read_parquet(file) for name, file in sides.items() if file.exists()}
    return {"scores": pl.read_parquet(path), "profile": read_json(profile_path(path)), **found}


def test_every_file_of_every_shard_is_the_same(
    artifact: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [files(artifact, dataset, tmp_path / "kept", shard) for shard in range(SHARDS)]
    assert len(list((tmp_path / "kept").glob("market-*"))) == 1
    monkeypatch.setattr("neural.scoring.crowd_for", lambda *_: None)
    whole = [files(artifact, dataset, tmp_path / "whole", shard) for shard in range(SHARDS)]
    assert not list((tmp_path / "whole").glob("market-*"))
    for shard, (one, other) in enumerate(zip(kept, whole, strict=True)):
        assert list(one) == ["scores", "profile", "audience", *(["relations"] if shard == 0 else [])]
        for name, found in one.items():
            same = found == other[name] if name == "profile" else found.equals(other[name])
            assert same, (shard, name)
    assert sum(len(one["scores"]) for one in kept) == 121
    assert kept[0]["scores"].schema == SCORES


def test_a_shard_holds_its_own_customers_alone(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    crowd = crowd_for(tmp_path, artifact, dataset, CUTS)
    opened = open_artifact(artifact, artifact.parent, dataset, cuts=CUTS, shard=1, crowd=crowd)
    world = opened.task.world
    assert all(shard_of(name, SHARDS) == 1 for name in world.history.customers)
    assert crowd.history.customers == []
    assert world.everyone is crowd
    assert isinstance(crowd.first_sale.base, np.memmap)


def test_the_first_makes_it_and_the_others_wait(
    artifact: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], crowds._make

    def counted(folder: Path, *rest: Any) -> None:
        made.append(folder)
        make(folder, *rest)

    monkeypatch.setattr(crowds, "_make", counted)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: crowd_for(tmp_path, artifact, dataset, CUTS), range(3)))
    assert len(made) == 1
    assert all(np.array_equal(crowd.first_sale, found[0].first_sale) for crowd in found)
    crowd_for(tmp_path, artifact, dataset, (DAY + 380, DAY + 411))  # another moment is another file
    assert len(set(made)) == 2


def test_half_a_file_of_a_killed_process_is_never_read(
    artifact: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def killed(temporary: Path, folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(crowds, "publish_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            crowd_for(tmp_path, artifact, dataset, CUTS)
    assert not list(tmp_path.glob("market-*"))
    crowd_for(tmp_path, artifact, dataset, CUTS)
    assert len(list(tmp_path.glob("market-*"))) == 1
