"""A run as its supervisor sees it: killed, stopped, resumed, refused, or without enough data."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import read_json
from handoff.missing import plain
from handoff.progress import Outcome, ProgressReader
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, SMALL, event, write_dataset

COMMAND = [sys.executable, "-m", "neural", "train"]
LONG: dict[str, Any] = {"epochs": 3, "batch_size": 16, "dropout": 0.2}


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, str(folder), "--checkpoint-seconds", "0"], stderr=subprocess.PIPE)


def wait_for_steps(folder: Path, phase: str, steps: int, child: subprocess.Popen[bytes]) -> None:
    """Return when so many checkpointed steps of `phase` lie on disk."""
    for _ in range(6000):
        found = sorted(path for path in (folder / "checkpoints").glob("0*") if path.is_dir())
        if found:
            try:
                state = json.loads((found[-1] / "state.json").read_text())
            except FileNotFoundError:  # just replaced
                continue
            if state["phase"] == phase and state["step"] + 1000 * state["epoch"] >= steps:
                return
        assert child.poll() is None, child.stderr.read() if child.stderr else ""
        time.sleep(0.01)
    raise AssertionError(f"No checkpoint at step {steps} of {phase}.")


def weights(folder: Path) -> bytes:
    return (folder / "artifact" / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, shop: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    config_of(shop).write(folder)
    train(folder, checkpoint_seconds=1000)
    return folder


def config_of(shop: Dataset) -> TrainingConfig:
    return TrainingConfig.from_mapping({"dataset": str(shop.folder), **SMALL, **NEXT_PRODUCT, **LONG})


def test_a_killed_run_goes_on_to_bit_identical_weights(
    tmp_path: Path, shop: Dataset, uninterrupted: Path
) -> None:
    """Killed with -9 in pretraining, in the first and in the second epoch of training."""
    config_of(shop).write(tmp_path)
    for phase, steps in (("pretraining", 3), ("training", 2), ("training", 1001)):
        child = start(tmp_path)
        wait_for_steps(tmp_path, phase, steps, child)
        child.kill()
        child.wait()
        assert Outcome.read(tmp_path) is None
    assert train(tmp_path).status == "succeeded"
    assert weights(tmp_path) == weights(uninterrupted)
    ours, theirs = (read_json(folder / "evaluation.json") for folder in (tmp_path, uninterrupted))
    assert ours["curves"]["learning"] == theirs["curves"]["learning"]
    assert ours["metrics"] == theirs["metrics"]
    assert len([path for path in (tmp_path / "checkpoints").iterdir() if path.is_dir()]) <= 2


def test_a_run_killed_after_its_last_step_only_evaluates(
    tmp_path: Path, shop: Dataset, uninterrupted: Path
) -> None:
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    for name in ("outcome.json", "evaluation.json", "progress.jsonl"):
        (tmp_path / name).unlink()
    shutil.rmtree(tmp_path / "artifact")
    assert train(tmp_path).status == "succeeded"
    assert weights(tmp_path) == weights(uninterrupted)
    assert {line.phase for line in ProgressReader(tmp_path).read()} == {"preparing", "evaluating"}


def test_a_finished_run_is_left_alone(uninterrupted: Path) -> None:
    before = (uninterrupted / "evaluation.json").stat().st_mtime_ns
    assert train(uninterrupted).status == "succeeded"
    assert (uninterrupted / "evaluation.json").stat().st_mtime_ns == before


def test_sigterm_ends_at_the_next_step_with_143_and_keeps_the_checkpoint(
    tmp_path: Path, shop: Dataset
) -> None:
    config_of(shop).write(tmp_path)
    child = start(tmp_path)
    wait_for_steps(tmp_path, "training", 1, child)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 143
    assert Outcome.read(tmp_path) is None
    assert not (tmp_path / "artifact").exists()
    assert any(path.is_dir() for path in (tmp_path / "checkpoints").iterdir())


def test_a_trainer_dies_with_its_supervisor(tmp_path: Path, shop: Dataset) -> None:
    config_of(shop).write(tmp_path)
    script = (
        "import os, subprocess, sys, time\n"
        "environment = {**os.environ, 'CRM_SUPERVISOR_PID': str(os.getpid())}\n"
        "child = subprocess.Popen(sys.argv[1:], env=environment)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [*COMMAND, str(tmp_path), "--checkpoint-seconds", "0"]
    supervisor = subprocess.Popen([sys.executable, "-c", script, *command], stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    trainer = int(supervisor.stdout.readline())
    wait_for_steps(tmp_path, "pretraining", 1, supervisor)
    supervisor.kill()
    supervisor.wait()
    for _ in range(500):
        if not _runs(trainer):
            break
        time.sleep(0.02)
    assert not _runs(trainer)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_trainer_whose_supervisor_is_gone_does_not_start(tmp_path: Path) -> None:
    environment = {**os.environ, "CRM_SUPERVISOR_PID": "1234567"}
    done = subprocess.run([*COMMAND, str(tmp_path)], env=environment, capture_output=True)
    assert done.returncode == 1
    assert not (tmp_path / "outcome.json").exists()


@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([], ["no_events"]),
        (
            [event("c1", day, "a") for day in (0, 3)],
            ["customers (have 1, need 5)", "purchases (have 2, need 10)", "days (have 3, need {days})"],
        ),
        (
            [event(f"c{number}", 0, None, kind="email") for number in range(20)],
            ["customers (have 0, need 5)", "purchases (have 0, need 10)", "days (have 0, need {days})"],
        ),
    ],
    ids=["empty", "one customer", "no purchases"],
)
def test_too_little_data_is_an_answer(
    base: dict[str, Any],
    rows: list[dict[str, Any]],
    missing: list[str],
    tmp_path: Path,
    configure: Callable[..., TrainingConfig],
) -> None:
    dataset = write_dataset(tmp_path / "data", rows)
    run = tmp_path / "run"
    configure(base, dataset=str(dataset.folder)).write(run)
    outcome = train(run)
    assert outcome.status == "not_enough_data"
    days = 2 * base["horizon_days"] + 30
    assert [plain(fact) for fact in outcome.missing] == [text.format(days=days) for text in missing]
    assert outcome.message == f"Not enough data: {', '.join(map(plain, outcome.missing))}."
    assert Outcome.read(run) == outcome
    assert not (run / "artifact").exists()


@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
@pytest.mark.parametrize("everyone_buys", [True, False])
def test_a_window_in_which_all_or_none_buy_crashes_nothing(
    base: dict[str, Any], everyone_buys: bool, tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    last = 400 if everyone_buys else 200
    rows = [event(f"c{n}", day + n / 10, f"p{n % 4}") for n in range(12) for day in range(0, last, 10)]
    rows.append(event("c99", 402, None, kind="email"))
    dataset = write_dataset(tmp_path / "data", rows)
    run = tmp_path / "run"
    configure(base, dataset=str(dataset.folder)).write(run)
    assert train(run).status == "succeeded"
    name = "ndcg@10" if base is NEXT_PRODUCT else "roc_auc"
    found = read_json(run / "evaluation.json")["metrics"]["model"][name]
    assert (found is None) == (base is CHURN or not everyone_buys)


def test_a_damaged_dataset_fails_with_its_file_named(
    tmp_path: Path, shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(shop.folder, folder)
    with (folder / "products.parquet").open("ab") as file:
        file.write(b"x")
    run = tmp_path / "run"
    configure(CHURN, dataset=str(folder)).write(run)
    done = subprocess.run([*COMMAND, str(run)], capture_output=True, text=True)
    assert done.returncode == 1
    outcome = Outcome.read(run)
    assert outcome is not None
    assert outcome.status == "failed"
    assert "products.parquet differs from its recorded SHA-256" in outcome.message
    assert outcome.message in done.stderr
    assert "Traceback" not in done.stderr


def test_another_config_in_a_begun_folder_is_refused(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(CHURN).write(tmp_path)
    train(tmp_path)
    (tmp_path / "outcome.json").unlink()
    configure(CHURN, width=32).write(tmp_path)
    done = subprocess.run([*COMMAND, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "was begun with width = 16, config.json now says 32" in done.stderr


def test_a_run_begun_before_a_setting_existed_goes_on(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(CHURN).write(tmp_path)
    train(tmp_path)
    before = weights(tmp_path)
    marker = tmp_path / "checkpoints" / "config.json"
    written = read_json(marker)
    del written["schedule"]
    marker.write_text(json.dumps(written))
    (tmp_path / "outcome.json").unlink()
    shutil.rmtree(tmp_path / "artifact")
    assert train(tmp_path).status == "succeeded"
    assert weights(tmp_path) == before


def test_a_cutoff_without_a_whole_window_after_it_is_refused(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(CHURN, test_cutoff="2021-02-20").write(tmp_path)
    done = subprocess.run([*COMMAND, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "test_cutoff is 2021-02-20; with a horizon of 60 days it must be" in done.stderr
