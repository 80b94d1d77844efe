"""Arrays and the encoder of a text classifier as files: safetensors and JSON, nothing that can run code."""

import shutil
from pathlib import Path
from typing import Any

import numpy.typing as npt

from neural.text.pretrained import Pretrained

Arrays = dict[str, npt.NDArray[Any]]

# What a tokenizer may be made of, whichever library wrote it.
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model",
)  # fmt: skip


def copy_reader(found: Pretrained, folder: Path) -> None:
    """Copy the architecture and the tokenizer of a pretrained model, without its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", *TOKENIZER_FILES):
        if (found.folder / name).is_file():
            shutil.copyfile(found.folder / name, folder / name)


def prefixed(name: str, arrays: Arrays) -> Arrays:
    return {f"{name}.{key}": value for key, value in arrays.items()}


def under(name: str, arrays: Arrays) -> Arrays:
    """The arrays that `prefixed` put under `name`."""
    return {
        key.removeprefix(f"{name}."): value for key, value in arrays.items() if key.startswith(f"{name}.")
    }
