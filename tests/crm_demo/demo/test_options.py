import hashlib
import socket
import stat
from pathlib import Path

import pytest

from crm_demo.demo.options import DemoOptions, DemoRefused, secret_key


def test_a_port_that_is_taken_is_named_with_a_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoRefused, match=f"Port {port} cannot be used .*make demo PORT={port + 1}"):
            DemoOptions(port=port).check()


def test_a_free_port_is_fine() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    DemoOptions(port=port).check()


def test_a_port_that_cannot_exist_is_refused() -> None:
    with pytest.raises(DemoRefused, match="PORT=70000 is no port"):
        DemoOptions(port=70000).check()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemoRefused, match=f"DATA={tmp_path / 'nothing.csv'} is not a file"):
        DemoOptions(data=tmp_path / "nothing.csv").check()


def test_the_fingerprint_names_the_data_and_not_the_path(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"x")
    assert DemoOptions(data=file).fingerprint() == {
        "kind": "file",
        "sha256": hashlib.sha256(b"x").hexdigest(),
    }
    assert DemoOptions(customers=600, seed=2).fingerprint() == {
        "kind": "simulator",
        "customers": 600,
        "seed": 2,
    }


def test_the_secret_key_is_drawn_once_and_private(tmp_path: Path) -> None:
    first = secret_key(tmp_path / "var")
    assert secret_key(tmp_path / "var") == first
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "var" / "secret-key").stat().st_mode) == 0o600
