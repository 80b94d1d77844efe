import ctypes
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from crm_agents.services import orphans
from crm_agents.services.orphans import die_with_parent

ASKED = [(orphans.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)]


class Processes:
    """Who the process believes itself and its parent to be, what it asked the kernel, and its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.killed: list[tuple[int, int]] = []
        self._patch = monkeypatch
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: self)
        monkeypatch.setattr(os, "kill", lambda *call: self.killed.append(call))

    def prctl(self, *arguments: int) -> None:
        self.asked.append(arguments)

    def are(self, *, own: int, parent: int, worker: int) -> None:
        self._patch.setattr(os, "getpid", lambda: own)
        self._patch.setattr(os, "getppid", lambda: parent)
        self._patch.setattr(orphans, "IMPORTED_BY", worker)


@pytest.fixture
def processes() -> Iterator[Processes]:
    with pytest.MonkeyPatch.context() as patch:
        yield Processes(patch)


@pytest.mark.parametrize("worker", [1, 700])  # 1: the first process of a container
def test_a_pool_process_of_a_living_worker_goes_on(processes: Processes, worker: int) -> None:
    processes.are(own=800, parent=worker, worker=worker)
    die_with_parent()
    assert (processes.asked, processes.killed) == (ASKED, [])


@pytest.mark.parametrize("adopted_by", [1, 555])
def test_a_pool_process_whose_worker_has_just_ended_ends_too(processes: Processes, adopted_by: int) -> None:
    processes.are(own=800, parent=adopted_by, worker=700)
    die_with_parent()
    assert (processes.asked, processes.killed) == (ASKED, [(800, signal.SIGKILL)])


def test_a_process_that_was_not_forked_goes_on(processes: Processes) -> None:
    processes.are(own=800, parent=1, worker=800)
    die_with_parent()
    assert processes.killed == []
