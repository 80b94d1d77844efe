"""Checkpoints: what a killed run needs to go on as if nothing had happened.

    checkpoints/00000120/model.safetensors      weights now
                         best.safetensors       weights of the best epoch so far
                         optimizer.safetensors  AdamW's moments
                         state.json             phase, epoch, step, early stopping, learning curve

A folder appears in one rename after fsync; the newest two are kept. Nothing is pickled.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from handoff.errors import HandoffError
from handoff.files import publish_folder, read_json, write_json

KEEP = 2
Weights = dict[str, Tensor]


def save(folder: Path, serial: int, parts: Mapping[str, Weights], state: Mapping[str, Any]) -> None:
    """Write checkpoint number `serial`, then remove all but the newest two."""
    temporary = folder / f".{serial:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, weights in parts.items():
        if weights:
            save_file(
                {key: value.contiguous() for key, value in weights.items()}, temporary / f"{name}.safetensors"
            )
    write_json(temporary / "state.json", state)
    publish_folder(temporary, folder / f"{serial:08d}")
    for old in numbers(folder)[:-KEEP]:
        shutil.rmtree(folder / f"{old:08d}")


def numbers(folder: Path) -> list[int]:
    """Serial numbers of the complete checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def load(folder: Path) -> tuple[dict[str, Weights], dict[str, Any]] | None:
    """Read the newest checkpoint, or None. Raises HandoffError when it cannot be read."""
    found = numbers(folder)
    if not found:
        return None
    newest = folder / f"{found[-1]:08d}"
    state = read_json(newest / "state.json")
    try:
        parts = {path.stem: load_file(path) for path in sorted(newest.glob("*.safetensors"))}
    except Exception as error:  # noqa: BLE001  (safetensors raises types of its own and OSError)
        raise HandoffError(
            f"{newest} cannot be read ({error}). Remove the folder to go on from the one before."
        ) from error
    return parts, state


def optimizer_weights(optimizer: torch.optim.Optimizer) -> Weights:
    """AdamW's state as named tensors: "<parameter number>.<moment>"."""
    states = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, state in states.items() for name, value in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, weights: Weights) -> None:
    whole = optimizer.state_dict()
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in weights.items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**whole, "state": states})
