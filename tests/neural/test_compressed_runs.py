"""A run that makes a smaller version of an earlier one, from its artifact to a sealed one of its own."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from neural.scoring import score
from neural.training import train
from tests.neural.shop import CHURN, SMALL

SIZE: dict[str, Any] = {"layers": 2, "heads": 4, "width": 16}
CUT: dict[str, Any] = {"prune_heads": 0.5, "prune_channels": 0.5, "prune_layers": 1, "export": "int8"}


def config(shop: Dataset, **values: Any) -> TrainingConfig:
    return TrainingConfig.from_mapping({"dataset": str(shop.folder), **SMALL, **CHURN, **SIZE, **values})


def trained(folder: Path, settings: TrainingConfig, root: Path) -> dict[str, Any]:
    settings.write(folder)
    assert train(folder, root=root).status == "succeeded"
    return read_json(folder / "evaluation.json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, shop: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    trained(folder, config(shop), folder)
    return folder / "artifact"


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory, shop: Dataset, whole: Path) -> Path:
    folder = tmp_path_factory.mktemp("smaller")
    trained(folder, config(shop, start=str(whole), **CUT), whole.parent)
    return folder


def test_the_record_has_size_speed_and_quality_before_and_after(smaller: Path, whole: Path) -> None:
    found = read_json(smaller / "evaluation.json")
    before, after = found["compression"]["before"], found["compression"]["after"]
    assert (before["layers"], before["heads"], before["units"]) == (2, 4, 32)
    assert (after["layers"], after["heads"], after["units"]) == (1, 2, 16)
    assert after["encoder_parameters"] < before["encoder_parameters"] / 2
    assert after["bytes"] < before["bytes"] / 2
    assert before["ms"] > 0
    assert after["ms"] > 0
    theirs = read_json(whole.parent / "evaluation.json")["metrics"]["model"]["roc_auc"]
    assert before["metrics"]["roc_auc"] == pytest.approx(theirs, abs=1e-6)
    assert after["metrics"]["roc_auc"] == found["metrics"]["model"]["roc_auc"]


def test_the_stored_file_is_as_small_as_the_record_says(smaller: Path, whole: Path) -> None:
    said = read_json(smaller / "evaluation.json")["compression"]
    for folder, part in ((whole, "before"), (smaller / "artifact", "after")):
        size = (folder / "weights.safetensors").stat().st_size
        assert said[part]["bytes"] == pytest.approx(size, abs=20_000)  # the file also names its tensors
        assert said[part]["bytes"] < size


def test_the_smaller_model_scores(smaller: Path, shop: Dataset, tmp_path: Path) -> None:
    last = shop.manifest.last_event
    assert last is not None
    out = tmp_path / "scores.parquet"
    assert score(smaller / "artifact", shop.folder, root=smaller, shard=0, as_of=last, out=out) > 0


def test_metrics_of_another_question_are_not_set_beside(whole: Path, shop: Dataset, tmp_path: Path) -> None:
    settings = config(shop, start=str(whole), prune_channels=0.5, active_days=90)
    found = trained(tmp_path, settings, whole.parent)["compression"]
    assert found["before"]["metrics"] == {}
    assert found["before"]["bytes"] > found["after"]["bytes"]
    assert found["after"]["metrics"]["roc_auc"] is not None


def test_a_smaller_model_is_pruned_once_more(smaller: Path, shop: Dataset, tmp_path: Path) -> None:
    settings = config(shop, start=str(smaller / "artifact"), prune_channels=0.5)
    found = trained(tmp_path, settings, smaller)["compression"]
    assert (found["after"]["layers"], found["after"]["heads"], found["after"]["units"]) == (1, 2, 8)


@pytest.mark.parametrize("backbone", ["cnn", "rnn"])
def test_other_backbones_lose_units_and_layers(backbone: str, shop: Dataset, tmp_path: Path) -> None:
    trained(tmp_path / "whole", config(shop, backbone=backbone), tmp_path)
    start = str(tmp_path / "whole" / "artifact")
    settings = config(shop, backbone=backbone, start=start, prune_channels=0.25, prune_layers=1)
    found = trained(tmp_path / "smaller", settings, tmp_path)["compression"]["after"]
    assert (found["layers"], found["units"], found["heads"]) == (1, 12, None)


def test_killed_while_it_recovers_it_ends_with_the_same_weights(
    smaller: Path, whole: Path, shop: Dataset, tmp_path: Path
) -> None:
    config(shop, start=str(whole), **CUT).write(tmp_path)
    command = [sys.executable, "-m", "neural", "train", str(tmp_path), "--root", str(whole.parent)]
    child = subprocess.Popen([*command, "--checkpoint-seconds", "0"], env={**os.environ})
    for _ in range(6_000):
        if any((tmp_path / "checkpoints").glob("0*/state.json")):
            break
        assert child.poll() is None
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert not (tmp_path / "outcome.json").exists()
    train(tmp_path, root=whole.parent)
    ours, theirs = (folder / "artifact" / "weights.safetensors" for folder in (tmp_path, smaller))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_start_that_saw_the_days_of_the_test_is_refused(whole: Path, shop: Dataset, tmp_path: Path) -> None:
    earlier = replace(config(shop, start=str(whole)), test_cutoff="2020-12-01")
    earlier.write(tmp_path)
    with pytest.raises(HandoffError, match="was chosen on events up to"):
        train(tmp_path, root=whole.parent)
    assert not (tmp_path / "artifact").exists()


def test_mf_has_nothing_to_prune(shop: Dataset, tmp_path: Path) -> None:
    trained(tmp_path / "whole", config(shop, backbone="mf"), tmp_path)
    settings = config(shop, backbone="mf", start=str(tmp_path / "whole" / "artifact"), prune_channels=0.5)
    settings.write(tmp_path / "smaller")
    with pytest.raises(HandoffError, match="The backbone mf has no layers"):
        train(tmp_path / "smaller", root=tmp_path)
