"""Files appear whole or not at all."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from handoff.errors import HandoffError
from handoff.files import publish_folder, read_json, sha256_of, write_bytes, write_json


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "run", **{"config.json": "old"}) / "config.json"

    write_bytes(path, b"new")

    assert contents(tmp_path / "run") == {"config.json": "new"}


def test_a_failed_write_leaves_the_earlier_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob(".config*")) == []


def test_json_is_sorted_readable_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, 2.5], "a": "安"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "安",\n  "b": [\n    1,\n    2.5\n  ]\n}'
    assert read_json(path) == {"a": "安", "b": [1, 2.5]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "{path} does not exist."),
        (b"{", "{path} is not valid JSON ("),
        (b"\xff", "{path} is not valid JSON ("),
        (b"[1]", "{path} holds list, not a JSON object."),
    ],
)
def test_what_is_no_json_object_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HandoffError) as refused:
        read_json(path)
    assert str(refused.value).startswith(message.format(path=path))


def test_a_hash_is_the_file_s_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 300_000)
    assert sha256_of(path) == hashlib.sha256(b"x" * 300_000).hexdigest()


def make_folder(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_published_under_a_new_parent(tmp_path: Path) -> None:
    publish_folder(make_folder(tmp_path / "t", a="1"), tmp_path / "deep" / "final")
    assert contents(tmp_path / "deep" / "final") == {"a": "1"}
    assert not (tmp_path / "t").exists()


def test_a_published_folder_replaces_the_earlier_one_wholly(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    make_folder(root / "final", a="1", b="2")
    make_folder(root / ".final.old", c="left by a crash")

    publish_folder(make_folder(root / "t", a="3"), root / "final")

    assert contents(root / "final") == {"a": "3"}
    assert [entry.name for entry in root.iterdir()] == ["final"]


def test_a_crash_between_the_renames_leaves_no_half_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, temporary = make_folder(tmp_path / "final", a="1"), make_folder(tmp_path / "t", a="2", b="3")
    replace = Path.replace

    def crash(path: Path, target: Any) -> Path:
        if path == temporary:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        publish_folder(temporary, final)

    assert not final.exists()
    assert contents(temporary) == {"a": "2", "b": "3"}
    assert contents(tmp_path / ".final.old") == {"a": "1"}
