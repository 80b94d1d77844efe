"""Products by their words: a vector of each product's name from a pretrained text model that stays as it is.

The vectors of the catalogue that a model was trained with travel in its artifact. Names that came later are
read by the same model, which the artifact records by its hash.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from handoff.files import read_json
from neural.data.vocabulary import Vocabulary
from neural.text.pretrained import UNCOVERED, Pretrained, find_pretrained, same_pretrained, unknown_share
from neural.text.vectors import Reader, Vectors

FILE = "product_texts.safetensors"
SAMPLE = 1000  # names that tell of the catalogue's language


def with_texts(vocabulary: Vocabulary, config: TrainingConfig) -> Vocabulary:
    """Read every product's name. Raises HandoffError where the model is missing or of another language."""
    if config.lora_rank:
        raise HandoffError(
            f"lora_rank is {config.lora_rank}, but {config.task} reads product names by a text model that "
            "stays as it is: set it to 0."
        )
    found = _read(find_pretrained(config.text_model), vocabulary.product_names)
    mean = (
        found[: vocabulary.known].mean(axis=0) if vocabulary.known else np.zeros(found.shape[1], np.float32)
    )
    return replace(vocabulary, product_text=_centred(found, mean), product_text_mean=mean)


def with_kept_texts(vocabulary: Vocabulary, setting: str, folder: Path) -> Vocabulary:
    """Take an artifact's vectors and read only names that it does not hold.

    Raises HandoffError where such names need the model, and that is another one now or gone.
    """
    kept = load_file(folder / FILE)
    place = {key: number for number, key in enumerate(read_json(folder / "product_texts.json")["names"])}
    keys = [_key(name) for name in vocabulary.product_names]
    old = kept["vectors"].numpy()  # (K, W)
    found = np.zeros((len(keys), old.shape[1]), np.float32)
    known = np.asarray([number for number, key in enumerate(keys) if key in place], np.int64)
    found[known] = old[[place[keys[number]] for number in known.tolist()]]
    new = np.asarray([number for number, key in enumerate(keys) if key not in place], np.int64)
    if len(new):
        recorded: Mapping[str, Any] = read_json(folder / "product_texts.json")["pretrained"]
        model = same_pretrained(setting, dict(recorded))
        read = Reader.load(model).vectors([vocabulary.product_names[number] for number in new.tolist()])
        found[new] = _centred(read, kept["mean"].numpy())
    return replace(vocabulary, product_text=found, product_text_mean=kept["mean"].numpy())


def keep_texts(vocabulary: Vocabulary, setting: str, folder: Path) -> dict[str, Any]:
    """Write the vectors into an artifact; return the content of product_texts.json.

    Names are stored as hashes: the artifact has no need of the catalogue's words.
    """
    arrays = {"vectors": vocabulary.product_text, "mean": vocabulary.product_text_mean}
    save_file(
        {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in arrays.items()}, folder / FILE
    )
    return {
        "pretrained": find_pretrained(setting).as_json(),
        "names": [_key(name) for name in vocabulary.product_names],
    }


def _read(model: Pretrained, names: Sequence[str]) -> Vectors:
    reader = Reader.load(model)
    share = unknown_share(reader.tokenizer, names[:SAMPLE])
    if share > UNCOVERED:
        raise HandoffError(
            f"text_model {model.name!r} does not know {share:.0%} of the words in the products' names: "
            "choose one of their language, or leave text_model empty."
        )
    return reader.vectors(names)


def _centred(vectors: Vectors, mean: npt.NDArray[np.float32]) -> Vectors:
    """What a name says beyond what all names of a catalogue say: texts of one trade look much alike.

    Mu and Viswanath 2018, "All-but-the-top". (N, W), (W,) -> (N, W) of length 1
    """
    found = vectors - mean
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]
