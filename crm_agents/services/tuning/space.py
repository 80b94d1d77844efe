"""The search space: JSON such as {"dropout": {"type": "float", "low": 0, "high": 0.5}}.

"float" and "int" have `low` and `high`, and may have `log`; "int" may have `step`; "choice" has `values`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from django.utils.translation import gettext as _

from handoff.config import CHOICES, LIMITS, TrainingConfig
from handoff.errors import HandoffError

# What is asked, of whom, and how it is measured: trials that differ in these cannot be compared.
FIXED = (
    "horizon_days",
    "active_days",
    "top_k",
    "threads",
    "device",
    "export",
    "prune_heads",
    "prune_channels",
    "prune_layers",
)
TYPES = get_type_hints(TrainingConfig)
TUNABLE = tuple(name for name in TYPES if (name in LIMITS or name in CHOICES) and name not in FIXED)
KEYS = {"float": {"low", "high", "log"}, "int": {"low", "high", "log", "step"}, "choice": {"values"}}
MOST_VALUES = 50  # of one choice

Space = dict[str, "Parameter"]
Value = float | int | str


@dataclass(frozen=True)
class Parameter:
    """One setting of the space; `values` is empty unless `type` is "choice"."""

    type: str
    low: float = 0
    high: float = 0
    log: bool = False
    step: int = 1
    values: tuple[Value, ...] = ()

    def holds(self, value: Any) -> bool:
        """Whether the search could come to `value`."""
        if self.type == "choice":
            return value in self.values
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.type == "float" or (value - self.low) % self.step == 0


def read_space(raw: Mapping[str, Any]) -> Space:
    """Return the space that JSON values describe. Raises HandoffError naming setting, value and remedy."""
    if not isinstance(raw, Mapping) or not raw:
        raise HandoffError(_("space is empty; name at least one setting to try."))
    unknown = sorted(str(name) for name in raw if name not in TUNABLE)
    if unknown:
        text = _("space names %(unknown)s, which cannot be searched; known are %(known)s.")
        raise HandoffError(text % {"unknown": ", ".join(unknown), "known": ", ".join(sorted(TUNABLE))})
    space = {name: _parameter(name, entry) for name, entry in raw.items()}
    _check_heads(space)
    return space


def combinations(space: Space) -> list[dict[str, Value]]:
    """Return every combination of the values of a space of choices, in their order.

    Raises HandoffError for a space with ranges: they have no end of values.
    """
    ranges = [name for name, parameter in space.items() if parameter.type != "choice"]
    if ranges:
        text = _("space.%(name)s is a range; a comparison needs a list of values.")
        raise HandoffError(text % {"name": ranges[0]})
    lists = [[(name, value) for value in parameter.values] for name, parameter in space.items()]
    return [dict(pairs) for pairs in itertools.product(*lists)]


def default_space(config: TrainingConfig) -> dict[str, dict[str, Any]]:
    """Return a space around an agent's own settings, wide enough to be worth a search."""
    widths = sorted({width for width in (32, 64, 128, config.width) if width % config.heads == 0})
    return {
        "learning_rate": {
            "type": "float",
            "low": _rounded(max(config.learning_rate / 5, 1e-6)),
            "high": _rounded(min(config.learning_rate * 5, 0.1)),
            "log": True,
        },
        "dropout": {"type": "float", "low": 0.0, "high": 0.4},
        "weight_decay": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "width": {"type": "choice", "values": widths},
    }


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _parameter(name: str, entry: Any) -> Parameter:
    if not isinstance(entry, Mapping) or entry.get("type") not in KEYS:
        text = _('space.%(name)s is %(entry)r; it must be an object with a "type": %(types)s.')
        raise HandoffError(text % {"name": name, "entry": entry, "types": ", ".join(KEYS)})
    kind = str(entry["type"])
    odd = sorted(str(key) for key in entry if key not in KEYS[kind] | {"type"})
    if odd:
        text = _("space.%(name)s has %(odd)s, which %(type)s does not know; known are %(known)s.")
        known = ", ".join(sorted(KEYS[kind]))
        raise HandoffError(text % {"name": name, "odd": ", ".join(odd), "type": kind, "known": known})
    return _choice(name, entry.get("values")) if kind == "choice" else _range(name, kind, entry)


def _choice(name: str, values: Any) -> Parameter:
    if not isinstance(values, Sequence) or isinstance(values, str) or not 1 <= len(values) <= MOST_VALUES:
        text = _("space.%(name)s.values is %(values)r; it must be a list of 1 to %(most)s values.")
        raise HandoffError(text % {"name": name, "values": values, "most": MOST_VALUES})
    for value in values:
        check_value(name, value, "values")
    if len(set(values)) < len(values):
        text = _("space.%(name)s.values is %(values)r; each value may stand there once.")
        raise HandoffError(text % {"name": name, "values": values})
    return Parameter("choice", values=tuple(values))


def _range(name: str, kind: str, entry: Mapping[str, Any]) -> Parameter:
    if name in CHOICES or (kind == "float") != (TYPES[name] is float):
        fitting = "choice" if name in CHOICES else "float" if TYPES[name] is float else "int"
        text = _('space.%(name)s.type is "%(kind)s"; for this setting it must be "%(fitting)s".')
        raise HandoffError(text % {"name": name, "kind": kind, "fitting": fitting})
    for bound in ("low", "high"):
        check_value(name, entry.get(bound), bound)
    low, high, log, step = entry["low"], entry["high"], entry.get("log", False), entry.get("step", 1)
    if not low < high:
        text = _("space.%(name)s.low is %(low)s; it must be below high, which is %(high)s.")
        raise HandoffError(text % {"name": name, "low": low, "high": high})
    if not isinstance(log, bool) or (log and low <= 0):
        text = _("space.%(name)s.log is %(log)r; it must be true or false, and low above 0 where it is true.")
        raise HandoffError(text % {"name": name, "log": log})
    if isinstance(step, bool) or not isinstance(step, int) or step < 1 or (log and step != 1):
        text = _("space.%(name)s.step is %(step)r; it must be a whole number from 1, and 1 with log.")
        raise HandoffError(text % {"name": name, "step": step})
    return Parameter(kind, low, high, log, step)


def check_value(name: str, value: Any, part: str) -> None:
    """Raise HandoffError unless a run may have `value` for the setting `name`."""
    facts = {"name": name, "part": part, "value": value}
    if name in CHOICES:
        if value not in CHOICES[name]:
            text = _("space.%(name)s.%(part)s holds %(value)r; choose of %(known)s.")
            raise HandoffError(text % {**facts, "known": ", ".join(CHOICES[name])})
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (TYPES[name] is int and not isinstance(value, int)):
        kind = _("a whole number") if TYPES[name] is int else _("a number")
        text = _("space.%(name)s.%(part)s holds %(value)r; it must be %(kind)s.")
        raise HandoffError(text % {**facts, "kind": kind})
    if not LIMITS[name].allows(value):
        text = _("space.%(name)s.%(part)s holds %(value)r; it must be %(limit)s.")
        raise HandoffError(text % {**facts, "limit": LIMITS[name]})


def _check_heads(space: Space) -> None:
    """Raise HandoffError where some width could not be divided among some number of heads."""
    if "width" not in space or "heads" not in space:
        return
    for width, heads in itertools.product(_values(space["width"]), _values(space["heads"])):
        if width % heads:
            text = _("space.width holds %(width)s, which is no multiple of %(heads)s in space.heads.")
            raise HandoffError(text % {"width": width, "heads": heads})


def _values(parameter: Parameter) -> Sequence[int]:
    if parameter.type == "choice":
        return [int(value) for value in parameter.values]
    return range(int(parameter.low), int(parameter.high) + 1, parameter.step)
