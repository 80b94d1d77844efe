"""A version's folder, carried elsewhere, answers as it does at home."""

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from handoff.building import build_dataset
from handoff.config import TrainingConfig
from handoff.dataset import EVENTS, Dataset
from handoff.errors import HandoffError
from handoff.scores import SCORES
from neural.api import load, main
from neural.scoring import score
from neural.training import train
from tests.neural.shop import CHURN, SHARDS, SMALL, START, shop_rows, write_dataset

AS_OF = (START + timedelta(days=419)).isoformat()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("shop"), shop_rows(120))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("run")
    TrainingConfig.from_mapping({"dataset": str(dataset.folder), **SMALL, **CHURN}).write(folder)
    assert train(folder).status == "succeeded"
    carried = tmp_path_factory.mktemp("elsewhere") / "churn-v1"
    shutil.copytree(folder / "artifact", carried)
    return carried


def at_home(artifact: Path, dataset: Dataset, folder: Path) -> pl.DataFrame:
    for shard in range(SHARDS):
        score(
            artifact,
            dataset.folder,
            root=artifact.parent,
            shard=shard,
            as_of=AS_OF,
            out=folder / f"{shard}.parquet",
        )
    return pl.concat([pl.read_parquet(folder / f"{shard}.parquet") for shard in range(SHARDS)]).sort(
        "customer"
    )


def test_a_carried_folder_answers_as_at_home(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    version = load(artifact)
    assert (version.config.task, version.config.horizon_days) == ("churn", 60)
    assert version.card
    found = version.score(dataset.folder, AS_OF)

    assert found.schema == SCORES
    assert found.equals(at_home(artifact, dataset, tmp_path))


def test_some_customers_may_be_asked_about(artifact: Path, dataset: Dataset) -> None:
    every = load(artifact).score(dataset, AS_OF)
    some = load(artifact).score(dataset, AS_OF, customers=["c0003", "c0011", "nobody"])

    assert some["customer"].to_list() == ["c0003", "c0011"]
    assert some.equals(every.filter(pl.col("customer").is_in(["c0003", "c0011"])))
    assert load(artifact).score(dataset, AS_OF, customers=[]).equals(pl.DataFrame(schema=SCORES))


def test_tables_in_memory_answer_as_a_snapshot_does(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    events = pl.DataFrame(shop_rows(120), schema=EVENTS)
    built = build_dataset(
        tmp_path / "shop",
        events,
        customers=dataset.customers().collect(),
        products=dataset.products().collect(),
        shards=SHARDS,
    )
    ours = load(artifact).score(built, AS_OF)

    assert ours.equals(load(artifact).score(dataset, AS_OF))


def test_a_time_needs_its_zone(artifact: Path, dataset: Dataset) -> None:
    with pytest.raises(HandoffError, match=r"as_of is 2021-01-01T00:00:00; add its time zone"):
        load(artifact).score(dataset, "2021-01-01T00:00:00")


def test_a_changed_folder_is_refused(artifact: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(HandoffError, match=r"weights\.safetensors differs from its recorded SHA-256"):
        load(copy)


def test_the_command_line_writes_the_same(
    artifact: Path, dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.parquet"
    command = [sys.executable, "-m", "neural.api", str(artifact), str(dataset.folder), "--as-of", AS_OF]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=True)

    assert done.stdout == "120 customers\n"
    assert pl.read_parquet(out).equals(load(artifact).score(dataset, AS_OF))
    csv = tmp_path / "one.csv"
    assert main([str(artifact), str(dataset.folder), "--customer", "c0003", "--out", str(csv)]) == 0
    assert pl.read_csv(csv)["customer"].to_list() == ["c0003"]
    assert main([str(tmp_path), str(dataset.folder), "--out", str(out)]) == 1
    assert "manifest.json does not exist" in capsys.readouterr().err
