"""The artifact of a text classifier: sealed, self-contained, and without anything that can run code.

weights.safetensors  the encoder's (stored as `export` says), and every linear layer, TF-IDF weight and vector
encoder/             config.json and tokenizer of the pretrained model; absent for words alone
terms.json           words and pieces of words that TF-IDF counts
model.json           labels, path, windows, what the encoder was made from
calibration.json     from which score on a text is answered without a person looking
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from handoff.artifact import check_artifact, seal_artifact
from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from handoff.files import publish_folder, read_json, write_json
from neural.artifacts import WEIGHTS, choose_device
from neural.compression.storage import pack, unpack
from neural.text.classifier import Classifier
from neural.text.lexical import Lexical, read_sparse, sparse_arrays
from neural.text.linear import Linear
from neural.text.pretrained import Pretrained, empty_encoder, load_tokenizer
from neural.text.storing import Arrays, copy_reader, prefixed, under
from neural.text.vectors import Reader, TextEncoder, fast_half

ENCODER = "encoder"


def write_classifier(
    folder: Path,
    *,
    classifier: Classifier,
    config: TrainingConfig,
    pretrained: Pretrained | None,
    windows: Mapping[str, Any],
    scope: Mapping[str, Any],
    card: Mapping[str, Any],
) -> None:
    """Write and seal the artifact in one rename."""
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    stored = {
        name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in _arrays(classifier).items()
    }
    reader = classifier.reader
    if reader is not None and pretrained is not None:
        weights = pack(reader.encoder.state_dict(), config.export)
        stored.update({f"{ENCODER}.{name}": value for name, value in weights.items()})
        copy_reader(pretrained, temporary / ENCODER)
    save_file(stored, temporary / WEIGHTS)
    config.write(temporary)
    write_json(temporary / "terms.json", classifier.lexical.terms())
    model = {"names": classifier.names, "path": classifier.path, "windows": dict(windows)}
    if reader is not None and pretrained is not None:
        model["pretrained"] = pretrained.as_json()
    write_json(temporary / "model.json", model)
    write_json(temporary / "calibration.json", scope)
    write_json(temporary / "model_card.json", card)
    seal_artifact(temporary)
    publish_folder(temporary, folder)


def open_classifier(folder: Path, root: Path) -> Classifier:
    """Load a classifier.

    Raises HandoffError for an artifact outside `root`, damaged, or of another task.
    """
    check_artifact(folder, root=root)
    config, model = TrainingConfig.read(folder), read_json(folder / "model.json")
    if "path" not in model or not (folder / "terms.json").is_file():
        raise HandoffError(f"{folder} is a model of the task {config.task!r}, not a text classifier.")
    torch.set_num_threads(config.threads)
    stored = load_file(folder / WEIGHTS)
    encoder = {
        name.removeprefix(f"{ENCODER}."): stored.pop(name)
        for name in list(stored)
        if name.startswith(f"{ENCODER}.")
    }
    arrays: Arrays = {name: value.numpy() for name, value in stored.items()}
    reader = _reader(folder, config, model["pretrained"], unpack(encoder)) if encoder else None
    return Classifier(
        names=list(model["names"]),
        path=str(model["path"]),
        lexical=Lexical.read(read_json(folder / "terms.json"), under("lexical", arrays)),
        words=Linear.read(under("words", arrays)),
        weights=arrays["pool"],
        memory=arrays["memory"] if reader else read_sparse("memory", arrays),
        reader=reader,
        dense=Linear.read(under("dense", arrays)) if reader else None,
    )


def _arrays(classifier: Classifier) -> Arrays:
    found: Arrays = {
        "pool": np.asarray(classifier.weights, np.float64),
        **prefixed("lexical", classifier.lexical.arrays()),
        **prefixed("words", classifier.words.arrays()),
    }
    if classifier.dense is None:
        return {**found, **sparse_arrays("memory", classifier.memory)}
    return {**found, "memory": classifier.memory, **prefixed("dense", classifier.dense.arrays())}


def _reader(
    folder: Path, config: TrainingConfig, pretrained: Mapping[str, Any], weights: dict[str, torch.Tensor]
) -> Reader:
    encoder = TextEncoder(empty_encoder(folder / ENCODER), pretrained["pooling"])
    encoder.load_state_dict(weights)
    device = choose_device(config.device)
    half = config.precision == "bf16" or (config.precision == "auto" and fast_half(device))
    encoder.to(device).eval()
    return Reader(load_tokenizer(folder / ENCODER), encoder, int(pretrained["max_length"]), half)
