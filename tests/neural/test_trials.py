"""A trial of a search: the same fit as a run, ended by the validation window."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import read_json
from handoff.progress import Outcome, ProgressReader
from neural.training import train
from neural.trials import attempt
from neural.windows import EPOCH, Windows
from tests.neural.shop import CHURN, NEXT_PRODUCT, event, shop_rows, write_dataset
from tests.neural.test_run_folder import wait_for_steps

BASES = pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
Configure = Callable[..., TrainingConfig]


def report(folder: Path) -> dict[str, Any]:
    """The report less what a clock wrote into it."""
    found = read_json(folder / "report.json")
    assert found.pop("seconds") > 0
    return found


@BASES
def test_a_trial_finds_what_the_run_finds_on_the_validation_window(
    base: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    trial, run = tmp_path / "trial", tmp_path / "run"
    for folder in (trial, run):
        configure(base, epochs=3).write(folder)
    assert attempt(trial).status == "succeeded"
    train(run)
    found, evaluation = report(trial), read_json(run / "evaluation.json")
    learning = evaluation["curves"]["learning"]
    best = max(learning, key=lambda row: row["validation"][found["metric"]])
    assert found["metric"] == ("ndcg@10" if base is NEXT_PRODUCT else "negative_log_loss")
    assert found["value"] == pytest.approx(best["validation"][found["metric"]], rel=1e-5)
    assert (found["epoch"], found["epochs"], len(found["curve"])) == (
        best["epoch"],
        len(learning),
        len(learning),
    )
    for name, value in evaluation["validation"]["model"].items():
        if value is None:  # a metric that this window cannot define
            assert found["validation"][name] is None
        elif name not in best["validation"]:
            assert found["validation"][name] == pytest.approx(value, rel=1e-4, abs=1e-6)
    assert set(found["baselines"]) == set(base["baselines"])
    assert found["count"] == evaluation["counts"]["validation"]
    assert found["parameters"] > 1000
    assert not (trial / "artifact").exists()
    assert not (trial / "evaluation.json").exists()


@BASES
def test_nothing_of_the_test_window_changes_one_bit_of_a_trial(
    base: dict[str, Any], tmp_path: Path, shop: Dataset, configure: Configure
) -> None:
    """In the second shop nobody buys in the test window what was bought there, but a product never seen."""
    windows = Windows.choose(configure(base), shop.manifest)
    rows = shop_rows()
    last = max(row["at"] for row in rows)
    late = [row for row in rows if (row["at"] - EPOCH).total_seconds() / 86400 >= windows.test]
    assert len(late) > 50
    kept = [row for row in rows if (row["at"] - EPOCH).total_seconds() / 86400 < windows.test]
    other = [{**row, "product": "p09", "amount": 77.0, "kind": "purchase"} for row in late[::2]]
    new = {**event("c0001", 0, "p99"), "at": last}
    reports = []
    for number, each in enumerate((rows, [*kept, *other, new])):
        dataset = write_dataset(tmp_path / f"data{number}", each)
        folder = tmp_path / f"run{number}"
        configure(base, dataset=str(dataset.folder), epochs=2).write(folder)
        assert attempt(folder).status == "succeeded"
        reports.append(report(folder))
    assert reports[0] == reports[1]


def test_a_killed_trial_ends_in_the_same_report(tmp_path: Path, configure: Configure) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        configure(CHURN, epochs=3, batch_size=16, dropout=0.2).write(folder)
    command = [sys.executable, "-m", "neural", "try", str(killed), "--checkpoint-seconds", "0"]
    for phase, steps in (("pretraining", 2), ("training", 1001)):
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        wait_for_steps(killed, phase, steps, child)
        child.kill()
        child.wait()
        assert Outcome.read(killed) is None
    assert attempt(killed).status == "succeeded"
    attempt(whole)
    assert report(killed) == report(whole)


def test_every_epoch_is_told_with_its_metrics(tmp_path: Path, configure: Configure) -> None:
    """By these lines a search prunes trials that lag behind."""
    configure(CHURN, epochs=3, patience=3).write(tmp_path)
    attempt(tmp_path)
    told = [line.metrics for line in ProgressReader(tmp_path).read() if line.metrics]
    assert told == [row["validation"] for row in report(tmp_path)["curve"]]
    assert len(told) == 3


def test_a_finished_trial_is_left_alone(tmp_path: Path, configure: Configure) -> None:
    configure(CHURN).write(tmp_path)
    attempt(tmp_path)
    before = (tmp_path / "report.json").stat().st_mtime_ns
    assert attempt(tmp_path).status == "succeeded"
    assert (tmp_path / "report.json").stat().st_mtime_ns == before


def test_too_little_data_is_an_answer_to_a_trial_too(tmp_path: Path, configure: Configure) -> None:
    dataset = write_dataset(tmp_path / "data", [event("c1", day, "a") for day in (0, 3)])
    configure(CHURN, dataset=str(dataset.folder)).write(tmp_path)
    assert attempt(tmp_path).status == "not_enough_data"
    assert not (tmp_path / "report.json").exists()


def test_a_damaged_dataset_fails_the_trial_with_its_file_named(tmp_path: Path, configure: Configure) -> None:
    dataset = write_dataset(tmp_path / "data", shop_rows(20))
    pl.DataFrame({"product": ["x"]}).write_parquet(dataset.folder / "products.parquet")
    configure(CHURN, dataset=str(dataset.folder)).write(tmp_path)
    command = [sys.executable, "-m", "neural", "try", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["status"] == "failed"
    assert "products.parquet differs from its recorded SHA-256" in outcome["message"]
