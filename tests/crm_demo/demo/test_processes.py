"""Nothing that the demo starts outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crm_demo.demo.process_tree import descendants, memory_mb
from crm_demo.demo.processes import ProcessEnded, Processes

HERE = Path(__file__).resolve().parents[3]
# A process with a child in a session of its own, as a worker has a trainer; both deaf to SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import os, signal, time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(120)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pids: list[int], seconds: float = 15) -> list[int]:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [pid for pid in pids if alive(pid)]


def wait_for_tree(pid: int, size: int) -> list[int]:
    deadline = time.monotonic() + 10
    while len(descendants(pid)) < size and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)  # for the signal handlers to be set
    return descendants(pid)


def test_stopping_ends_even_what_ignores_it(tmp_path: Path) -> None:
    with Processes(folder=tmp_path, cwd=HERE) as processes:
        processes.start("stubborn", ["-c", STUBBORN], environment={})
        guard = processes.running["stubborn"].pid
        below = wait_for_tree(guard, 2)
        assert len(below) == 2
    assert wait_until_gone([guard, *below]) == []


def test_killing_the_starter_ends_everything(tmp_path: Path) -> None:
    starter_code = f"""
import time
from pathlib import Path
from crm_demo.demo.processes import Processes
processes = Processes(folder=Path({str(tmp_path)!r}), cwd=Path({str(HERE)!r}))
processes.start("stubborn", ["-c", {STUBBORN!r}], environment={{}})
time.sleep(120)
"""
    starter = subprocess.Popen([sys.executable, "-c", starter_code], cwd=HERE)
    below = wait_for_tree(starter.pid, 3)
    assert len(below) == 3
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert wait_until_gone(below) == []


def test_a_process_that_ends_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    with Processes(folder=tmp_path, cwd=HERE) as processes:
        processes.check()
        processes.start("web", ["-c", "import sys; sys.exit('no module named x')"], environment={})
        processes.running["web"].wait(20)
        with pytest.raises(ProcessEnded, match="(?s)The web process ended with status 1.*no module named x"):
            processes.check()


def test_a_process_that_was_killed_is_said_to_be(tmp_path: Path) -> None:
    with Processes(folder=tmp_path, cwd=HERE) as processes:
        code = "import os; os.kill(os.getpid(), 9)"
        processes.start("worker", ["-c", code], environment={})
        processes.running["worker"].wait(20)
        with pytest.raises(ProcessEnded, match=r"The worker process was killed by signal 9 \(most often out"):
            processes.check()


def test_the_environment_reaches_the_process(tmp_path: Path) -> None:
    with Processes(folder=tmp_path, cwd=HERE) as processes:
        code = "import os; print(os.environ['SECRET_KEY'])"
        processes.start("web", ["-c", code], environment={"SECRET_KEY": "s3cret"})
        processes.running["web"].wait(20)
    assert (tmp_path / "web.log").read_text() == "s3cret\n"


def test_memory_of_a_living_process_is_seen_and_of_none_is_zero() -> None:
    assert memory_mb([os.getpid()]) > 10
    assert memory_mb([]) == 0
