"""The artifact: a fine-tuned model as a folder of plain files, hashed and never pickled.

weights.safetensors  config.json  vocabulary files  calibration.json
model_card.json      what it was trained on, its metrics and its baselines' metrics
manifest.json        sha256 of every file above
"""

from pathlib import Path

from handoff.dataset import verify_files
from handoff.errors import HandoffError
from handoff.files import read_json, sha256_of, write_json

ARTIFACT_VERSION = 1


def seal_artifact(folder: Path) -> str:
    """Hash every file of a finished artifact, write its manifest and return the manifest's SHA-256."""
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    write_json(folder / "manifest.json", {"artifact_version": ARTIFACT_VERSION, "files": files})
    return sha256_of(folder / "manifest.json")


def check_artifact(folder: Path, *, root: Path, sha256: str | None = None) -> None:
    """Refuse an artifact that lies outside `root`, is damaged, or is not the one recorded.

    Raises HandoffError naming the file and the reason.
    """
    resolved = folder.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise HandoffError(f"{folder} is outside the artifact root {root}.")
    manifest = read_json(folder / "manifest.json")
    if manifest.get("artifact_version") != ARTIFACT_VERSION:
        raise HandoffError(
            f"{folder} has artifact version {manifest.get('artifact_version')}, "
            f"this code reads {ARTIFACT_VERSION}."
        )
    if sha256 is not None and sha256_of(folder / "manifest.json") != sha256:
        raise HandoffError(f"{folder / 'manifest.json'} is not the one recorded for this version.")
    files: dict[str, str] = manifest["files"]
    strangers = sorted(
        path.name
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != "manifest.json"
        and path.relative_to(folder).as_posix() not in files
    )
    if strangers:
        raise HandoffError(f"{folder} holds files its manifest does not list: {', '.join(strangers)}.")
    verify_files(folder, files)
