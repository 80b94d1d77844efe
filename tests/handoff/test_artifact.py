"""An artifact is loaded only from under the root, whole and as recorded."""

from pathlib import Path

import pytest

from handoff.artifact import check_artifact, seal_artifact
from handoff.errors import HandoffError
from handoff.files import sha256_of, write_json


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "root" / "artifact"
    (folder / "vocabulary").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "vocabulary" / "products.json").write_text("[]")
    return folder, seal_artifact(folder)


def refusal(folder: Path, *, root: Path, sha256: str | None = None) -> str:
    with pytest.raises(HandoffError) as refused:
        check_artifact(folder, root=root, sha256=sha256)
    return str(refused.value)


def test_a_sealed_artifact_passes(sealed: tuple[Path, str]) -> None:
    folder, sha256 = sealed
    check_artifact(folder, root=folder.parent, sha256=sha256)
    check_artifact(folder, root=folder.parent)
    assert sha256 == sha256_of(folder / "manifest.json")


def test_sealing_again_gives_the_same_name(sealed: tuple[Path, str]) -> None:
    folder, sha256 = sealed
    assert seal_artifact(folder) == sha256


def test_an_artifact_outside_the_root_is_refused(sealed: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = sealed
    root = tmp_path / "elsewhere"
    root.mkdir()
    assert refusal(folder, root=root) == f"{folder} is outside the artifact root {root}."
    dotted = root / ".." / "root" / "artifact"
    assert refusal(dotted, root=root) == f"{dotted} is outside the artifact root {root}."


def test_a_link_that_leads_out_of_the_root_is_refused(sealed: tuple[Path, str], tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    (root / "artifact").symlink_to(sealed[0])
    assert refusal(root / "artifact", root=root).endswith(f"is outside the artifact root {root}.")


def test_a_tampered_file_is_refused(sealed: tuple[Path, str]) -> None:
    folder, sha256 = sealed
    (folder / "weights.safetensors").write_bytes(b"weightz")
    assert refusal(folder, root=folder.parent, sha256=sha256) == (
        f"{folder / 'weights.safetensors'} differs from its recorded SHA-256: it is damaged or was edited."
    )


def test_a_missing_file_is_refused(sealed: tuple[Path, str]) -> None:
    folder, _ = sealed
    (folder / "vocabulary" / "products.json").unlink()
    assert refusal(folder, root=folder.parent) == f"{folder / 'vocabulary' / 'products.json'} is missing."


def test_a_file_with_a_matching_new_manifest_is_still_not_the_recorded_one(sealed: tuple[Path, str]) -> None:
    folder, sha256 = sealed
    (folder / "weights.safetensors").write_bytes(b"weightz")
    seal_artifact(folder)
    assert refusal(folder, root=folder.parent, sha256=sha256) == (
        f"{folder / 'manifest.json'} is not the one recorded for this version."
    )


def test_files_that_the_manifest_does_not_list_are_refused(sealed: tuple[Path, str]) -> None:
    folder, _ = sealed
    (folder / "vocabulary" / "evil.pkl").write_bytes(b"")
    (folder / "a.py").write_bytes(b"")
    assert refusal(folder, root=folder.parent) == (
        f"{folder} holds files its manifest does not list: a.py, evil.pkl."
    )


def test_another_artifact_version_is_refused(sealed: tuple[Path, str]) -> None:
    folder, _ = sealed
    write_json(folder / "manifest.json", {"artifact_version": 2, "files": {}})
    assert refusal(folder, root=folder.parent) == f"{folder} has artifact version 2, this code reads 1."


def test_an_unsealed_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, root=tmp_path) == f"{tmp_path / 'manifest.json'} does not exist."
