import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from crm_demo.demo.lock import only_demo
from crm_demo.demo.options import DemoRefused


def test_a_folder_takes_one_demo_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    refusal = re.escape(
        f"Another demo is running in {folder} (process {os.getpid()}). End it with Ctrl-C, or name another "
        "folder in CRM_VAR and another PORT."
    )
    with only_demo(folder), pytest.raises(DemoRefused, match=refusal), only_demo(folder):
        pass
    with only_demo(folder):
        pass


def test_a_process_that_outlives_the_demo_does_not_hold_the_folder(tmp_path: Path) -> None:
    with only_demo(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with only_demo(tmp_path):
            pass
    finally:
        child.communicate()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_second_demo_is_refused_before_it_touches_anything(
    tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    folder = tmp_path / "var"
    settings.VAR = folder  # type: ignore[attr-defined]
    monkeypatch.setattr("crm_demo.management.commands.demo.interrupt_on_signals", lambda: None)
    with only_demo(folder), pytest.raises(CommandError, match="Another demo is running in"):
        call_command("demo", port=0, fresh=fresh)  # the port would be refused next
    assert [path.name for path in folder.iterdir()] == ["demo.lock"]
