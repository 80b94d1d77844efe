"""The run's configuration: what `python -m neural train` is asked to do."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, get_type_hints

from handoff.errors import HandoffError
from handoff.files import read_json, write_json

BACKBONES = ("mf", "cnn", "rnn", "transformer")
DEVICES = ("auto", "cpu", "cuda")


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
    "epochs": Limit(high=1000),
    "patience": Limit(high=1000),
    "batch_size": Limit(high=65536),
    "learning_rate": Limit(low=0, high=1, above_low=True),
    "weight_decay": Limit(low=0, high=1, below_high=True),
    "warmup_share": Limit(low=0, high=1),
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
    task: str  # "next_product" | "churn" | "package.module:Class"
    dataset: str  # dataset folder
    horizon_days: int  # length of the outcome window
    active_days: int = 365  # a customer counts who purchased within so many days before the cut-off
    test_cutoff: str | None = None  # ISO time; default: last event - horizon
    outcome_kinds: tuple[str, ...] = ("purchase",)  # the events that count as outcome
    excluded: tuple[str, ...] = ()  # attributes and event fields the manager took out
    minimum: Minimum = field(default_factory=Minimum)
    baselines: tuple[str, ...] = ()  # evaluated on the same split in the same run

    backbone: str = "transformer"
    width: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.1
    max_visits: int = 64  # newest visits of a customer that the encoder reads

    pretrain_epochs: int = 1
    epochs: int = 6
    patience: int = 2  # epochs without a better validation metric before stopping
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1  # of all steps
    seed: int = 0

    top_k: int = 20  # products kept for each customer when scoring
    device: str = "auto"  # "auto" | "cpu" | "cuda"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise HandoffError(f"backbone is {self.backbone!r}; choose one of {', '.join(BACKBONES)}.")
        if self.device not in DEVICES:
            raise HandoffError(f"device is {self.device!r}; choose one of {', '.join(DEVICES)}.")
        for name, limit in LIMITS.items():
            if not limit.allows(getattr(self, name)):
                raise HandoffError(f"{name} is {getattr(self, name)}; it must be {limit}.")
        if self.width % self.heads:
            raise HandoffError(f"width {self.width} must be a multiple of heads {self.heads}.")

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
        if isinstance(values.get("minimum"), Mapping):
            values["minimum"] = Minimum(**check_types(Minimum, values["minimum"]))
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
