"""The run's configuration: what `python -m neural train` is asked to do."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, get_type_hints

from handoff.errors import HandoffError
from handoff.files import read_json, write_json

BACKBONES = ("mf", "cnn", "rnn", "transformer")
# Settings that are one of a few words.
CHOICES: dict[str, tuple[str, ...]] = {
    "backbone": BACKBONES,
    "device": ("auto", "cpu", "cuda"),
    "schedule": ("cosine", "linear", "constant"),
    "precision": ("auto", "fp32", "bf16"),
    "class_weight": ("none", "balanced"),
    "pretrain": ("auto", "always"),
    "export": ("fp32", "bf16", "int8"),
}


@dataclass(frozen=True)
class Limit:
    """What a number may be: `low` to `high`, or above `low` or below `high` where these are left out."""

    low: float = 1
    high: float = math.inf
    above_low: bool = False
    below_high: bool = False

    def allows(self, value: float) -> bool:
        high_enough = value > self.low if self.above_low else value >= self.low
        low_enough = value < self.high if self.below_high else value <= self.high
        return high_enough and low_enough

    def __str__(self) -> str:
        low = f"{'above' if self.above_low else 'at least'} {self.low}"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if self.below_high else 'at most'} {self.high}"


# Wide enough for any sensible run; beyond them a run would fail, learn nothing, or not end.
LIMITS = {
    "horizon_days": Limit(high=730),
    "active_days": Limit(high=3650),
    "width": Limit(high=4096),
    "layers": Limit(high=64),
    "heads": Limit(high=64),
    "dropout": Limit(low=0, high=1, below_high=True),
    "max_visits": Limit(high=4096),
    "pretrain_epochs": Limit(low=0, high=1000),
    "refit_epochs": Limit(low=0, high=1000),
    "epochs": Limit(high=1000),
    "patience": Limit(high=1000),
    "batch_size": Limit(high=65536),
    "learning_rate": Limit(low=0, high=1, above_low=True),
    "weight_decay": Limit(low=0, high=1, below_high=True),
    "warmup_share": Limit(low=0, high=1),
    "accumulate": Limit(high=1024),
    "freeze_layers": Limit(low=0, high=64),
    "lora_rank": Limit(low=0, high=256),
    "label_weight": Limit(low=0, high=1000),
    "augment_crop": Limit(low=0, high=1),
    "augment_mask": Limit(low=0, high=1, below_high=True),
    "augment_reorder": Limit(low=0, high=1),
    "augment_drop": Limit(low=0, high=1, below_high=True),
    "prune_heads": Limit(low=0, high=1, below_high=True),
    "prune_channels": Limit(low=0, high=1, below_high=True),
    "prune_layers": Limit(low=0, high=63),
    "seed": Limit(low=0, high=2**31 - 1),
    "top_k": Limit(),
    "threads": Limit(),
}


@dataclass(frozen=True)
class Minimum:
    """Below this the agent answers "not enough data" instead of training."""

    customers: int = 50
    purchases: int = 500
    days: int = 180
    labels: int = 5  # texts of a label that is to be learnt, in tasks on texts


@dataclass(frozen=True)
class Cleaning:
    """What is done to the events before a model sees them, the same in training and in scoring.

    Limits are learnt on the training window and travel in the artifact.
    """

    duplicates: str = "keep"  # "keep" | "drop": lines that are equal in every column
    outliers: str = "keep"  # "keep" | "clip": amounts and quantities beyond `quantile`
    quantile: float = 0.999  # of the absolute values in the training window

    def __post_init__(self) -> None:
        for name, known in (("duplicates", ("keep", "drop")), ("outliers", ("keep", "clip"))):
            if getattr(self, name) not in known:
                value, words = getattr(self, name), " or ".join(known)
                raise HandoffError(f"cleaning.{name} is {value!r}; it must be {words}.")
        if not 0.5 <= self.quantile <= 1:
            raise HandoffError(f"cleaning.quantile is {self.quantile}; it must be from 0.5 to 1.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


# What a JSON value must be, by the type of the field it is for.
_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("text", lambda value: isinstance(value, str)),
    str | None: ("text or null", lambda value: value is None or isinstance(value, str)),
    int: ("a whole number", _is_whole),
    float: ("a number", _is_number),
    tuple[str, ...]: ("a list of texts", _is_words),
    Minimum: ("an object", lambda value: isinstance(value, Minimum | Mapping)),
    Cleaning: ("an object", lambda value: isinstance(value, Cleaning | Mapping)),
}


def check_types(cls: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `raw`. Raises HandoffError for a key that `cls` does not have or a wrong type."""
    types = get_type_hints(cls)
    unknown = sorted(set(raw) - set(types))
    if unknown:
        raise HandoffError(f"Unknown setting {', '.join(unknown)}; known are {', '.join(sorted(types))}.")
    for name, value in raw.items():
        kind, fits = _KINDS[types[name]]
        if not fits(value):
            raise HandoffError(f"{name} is {value!r}, of the wrong type; it must be {kind}.")
    return dict(raw)


@dataclass(frozen=True)
class TrainingConfig:
    """One fine-tuning run, complete: the same config, data and code give the same weights on CPU."""

    agent: str  # the recipe's name, for the record
    task: str  # "next_product" | "churn" | "text_label" | "package.module:Class"
    dataset: str  # dataset folder
    horizon_days: int  # length of the outcome window
    active_days: int = 365  # a customer counts who purchased within so many days before the cut-off
    test_cutoff: str | None = None  # ISO time; default: last event - horizon
    outcome_kinds: tuple[str, ...] = ("purchase",)  # the events that count as outcome
    excluded: tuple[str, ...] = ()  # attributes and event fields the manager took out
    cleaning: Cleaning = field(default_factory=Cleaning)
    label_weight: float = 1.0  # of a person's label in the loss, where a derived one counts 1
    minimum: Minimum = field(default_factory=Minimum)
    baselines: tuple[str, ...] = ()  # evaluated on the same split in the same run

    backbone: str = "transformer"
    width: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.1
    max_visits: int = 64  # newest visits of a customer that the encoder reads

    start: str = ""  # artifact folder whose weights the run starts from; "" pretrains its own encoder
    freeze_layers: int = 0  # first layers of a started or pretrained encoder that are not trained
    text_model: str = ""  # folder or package of a pretrained text model; "" reads no text
    lora_rank: int = 0  # of the adapters put into the text model's attention; 0 for none

    pretrain: str = "auto"  # "auto" (not where `start` brings weights) | "always"
    pretrain_epochs: int = 1
    epochs: int = 6
    refit_epochs: int = 0  # on everything before the test, once the model was chosen on the validation window
    patience: int = 2  # epochs without a better validation metric before stopping
    batch_size: int = 128
    learning_rate: float = 2e-3  # a pretrained text model wants a tenth of that or less
    weight_decay: float = 0.01
    warmup_share: float = 0.1  # of all steps
    schedule: str = "cosine"  # of the learning rate after the warm-up: "cosine" | "linear" | "constant"
    accumulate: int = 1  # batches whose gradients make one step
    precision: str = "auto"  # "auto" (bf16 on a GPU) | "fp32" | "bf16"
    class_weight: str = "none"  # "balanced" weighs the rarer outcome up
    augment_crop: float = (
        0.0  # chance that a training history begins later than it did; of a text: other case
    )
    augment_mask: float = 0.0  # share of visits whose content is hidden; of a text's words: typing errors
    augment_reorder: float = 0.0  # chance that neighbouring visits of one week change places; words of a text
    augment_drop: float = 0.0  # share of a visit's products that are left out; of a text's words
    seed: int = 0

    prune_heads: float = 0.0  # share of attention heads removed from `start`, the least important first
    prune_channels: float = 0.0  # the same for feed-forward, convolution and recurrent units
    prune_layers: int = 0  # number of layers removed
    export: str = "fp32"  # type of the stored weights: "fp32" | "bf16" | "int8"

    top_k: int = 20  # products kept for each customer when scoring
    device: str = "auto"  # "auto" | "cpu" | "cuda"
    threads: int = 1

    def __post_init__(self) -> None:
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise HandoffError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(words)}.")
        for name, limit in LIMITS.items():
            if not limit.allows(getattr(self, name)):
                raise HandoffError(f"{name} is {getattr(self, name)}; it must be {limit}.")
        if self.width % self.heads:
            raise HandoffError(f"width {self.width} must be a multiple of heads {self.heads}.")
        self._check_start()

    def _check_start(self) -> None:
        """Refuse what can only be done to weights that are there already."""
        if not self.start:
            for name in ("prune_heads", "prune_channels", "prune_layers"):
                if getattr(self, name):
                    raise HandoffError(f"{name} is {getattr(self, name)}: choose with start what to prune.")
            if self.freeze_layers and not self.pretrain_epochs and not self.text_model:
                raise HandoffError(
                    f"freeze_layers is {self.freeze_layers}: layers that nothing has trained cannot be kept. "
                    "Set start or pretrain_epochs."
                )
        if self.prune_layers >= self.layers and self.prune_layers:
            raise HandoffError(f"prune_layers is {self.prune_layers} of {self.layers} layers: one must stay.")
        if self.freeze_layers > self.layers and not self.text_model:
            raise HandoffError(f"freeze_layers is {self.freeze_layers}, but there are {self.layers} layers.")
        if self.lora_rank and not self.text_model:
            raise HandoffError(f"lora_rank is {self.lora_rank}: adapters need a text_model to sit in.")

    @property
    def needed_days(self) -> int:
        """The test window, a validation window before it, and something to learn from before that."""
        return max(self.minimum.days, 2 * self.horizon_days + 30)

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """Build from JSON values. Raises HandoffError naming an unknown key or a bad value."""
        values = check_types(cls, raw)
        for name in ("outcome_kinds", "excluded", "baselines"):
            if name in values:
                values[name] = tuple(values[name])
        for name, part in (("minimum", Minimum), ("cleaning", Cleaning)):
            if isinstance(values.get(name), Mapping):
                values[name] = part(**check_types(part, values[name]))
        try:
            return cls(**values)
        except TypeError as error:
            raise HandoffError(f"The configuration is incomplete: {error}.") from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `config.json` of a run or artifact folder."""
        return cls.from_mapping(read_json(folder / "config.json"))

    def write(self, folder: Path) -> None:
        """Write `config.json` into a run or artifact folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", asdict(self))
