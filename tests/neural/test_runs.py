"""What all commands on a run folder share."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from handoff.errors import HandoffError, NotEnoughData
from handoff.progress import Outcome, ProgressWriter
from neural.runs import StopFlag, Stopped, finish


def test_work_that_has_left_its_result_is_not_done_again(tmp_path: Path) -> None:
    done: list[int] = []

    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        done.append(1)
        (tmp_path / "report.json").write_text("{}")

    assert finish(tmp_path, "report.json", work) == finish(tmp_path, "report.json", work)
    assert done == [1]
    (tmp_path / "report.json").unlink()
    assert finish(tmp_path, "report.json", work).status == "succeeded"
    assert done == [1, 1]


def test_not_enough_data_is_an_outcome_and_an_error_is_the_callers(tmp_path: Path) -> None:
    def too_little(progress: ProgressWriter, stop: StopFlag) -> None:
        raise NotEnoughData([{"code": "no_events"}])

    def bad(progress: ProgressWriter, stop: StopFlag) -> None:
        raise HandoffError("bad")

    assert finish(tmp_path, "report.json", too_little).missing == ({"code": "no_events"},)
    with pytest.raises(HandoffError, match="bad"):
        finish(tmp_path, "report.json", bad)
    assert Outcome.read(tmp_path) is None


def test_work_that_keeps_nothing_ends_in_the_middle(tmp_path: Path) -> None:
    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("went on")

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(Stopped):
            finish(tmp_path, "report.json", work, at_once=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert Outcome.read(tmp_path) is None


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "no such run"
    run = [sys.executable, "-m", "neural", "inspect", str(folder)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{folder} is not a folder: a run folder with config.json is needed." in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("command", ["try", "range", "inspect"])
def test_every_command_tells_what_is_wrong_with_its_configuration(command: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"agent": "churn", "epoch": 3}')
    run = [sys.executable, "-m", "neural", command, str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    outcome = Outcome.read(tmp_path)
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.message.startswith("Unknown setting epoch; known are ")
    assert "Traceback" not in done.stderr
