import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crm_agents.services import supervision
from crm_agents.services.leases import CancelRequested
from crm_agents.services.supervision import (
    ChildFailed,
    ChildStopped,
    child_environment,
    explain_exit,
    locked,
    run_child,
    tail,
)


@pytest.fixture
def child(settings: Any) -> Any:
    def program(code: str) -> None:
        settings.CRM_AGENTS = {**settings.CRM_AGENTS, "NEURAL_COMMAND": [sys.executable, "-c", code]}

    return program


def test_the_exit_status_and_the_words_come_back(child: Any, tmp_path: Path) -> None:
    child("import sys; print('hello', sys.argv[1]); print('oops', file=sys.stderr); sys.exit(3)")
    seen: list[int] = []

    assert run_child(["train"], log=tmp_path / "log", watch=lambda: seen.append(1)) == 3
    assert sorted(tail(tmp_path / "log").split("\n")) == ["", "hello train", "oops"]
    assert seen


def test_what_the_watch_raises_stops_the_child(child: Any, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child(f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)")

    def watch() -> None:
        if pid.exists() and pid.read_text():
            raise CancelRequested

    with pytest.raises(CancelRequested):
        run_child([], log=tmp_path / "log", watch=watch)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_child_that_ignores_sigterm_is_killed(
    child: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "GRACE_SECONDS", 0.5)
    child(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"

    def watch() -> None:
        if "ready" in tail(log):
            raise CancelRequested

    started = time.monotonic()
    with pytest.raises(CancelRequested):
        run_child([], log=log, watch=watch)
    assert time.monotonic() - started < 10


def test_a_stop_from_outside_is_no_failure(child: Any, tmp_path: Path) -> None:
    child("import os; os.kill(os.getpid(), 15)")

    with pytest.raises(ChildStopped):
        run_child([], log=tmp_path / "log", watch=lambda: None)


def test_the_childs_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("SECRET_KEY", "s")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/d")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "THREADS": 2}
    environment = child_environment()

    assert "SECRET_KEY" not in environment
    assert "DATABASE_URL" not in environment
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["CRM_SUPERVISOR_PID"] == str(os.getpid())
    home, rest = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(home) / "neural").is_dir()
    assert rest == "elsewhere"


def test_each_way_to_end_has_its_words() -> None:
    for status in (-9, 137, 247):  # the trainer's own, a shell's, and that of a command around it
        assert explain_exit(status, "") == (
            "The trainer was killed by signal 9 (most often out of memory). "
            "Lower batch_size or max_visits, or give the worker more memory."
        )
    assert explain_exit(-signal.SIGSEGV, "") == (
        "The trainer was killed by signal 11. The log holds its last words."
    )
    assert explain_exit(1, "Traceback\nValueError: no\n") == (
        "The trainer ended with exit status 1: ValueError: no"
    )


def test_the_tail_is_short_text_that_every_database_takes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"x" * 9000 + b"\0end\xff")

    assert tail(log) == "x" * 3995 + "end�"


def test_a_run_folder_takes_one_supervisor_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path, patience=0), pytest.raises(ChildFailed, match="still at work"):
        locked(tmp_path, patience=0.3).__enter__()
    with locked(tmp_path, patience=0):
        pass
