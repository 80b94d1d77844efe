"""From values to pixels, and where the ticks go."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard


@dataclass(frozen=True)
class Scale:
    """A linear map from `low`…`high` (values) to `start`…`end` (pixels); values outside are clipped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        clipped = min(max(value, self.low), self.high)
        return self.start + (clipped - self.low) / (self.high - self.low) * (self.end - self.start)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether `value` can be drawn: a finite number, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Return the lowest and highest value, moved apart where they are equal, 0 to 1 where there is none."""
    known = list(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if low == high:
        gap = abs(low) * 0.1 or 1.0
        return low - gap, high + gap
    return low, high


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers (1, 2 or 5 times a power of ten apart) within `low`…`high`."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def pixels(value: float) -> str:
    """Write a coordinate; never with a decimal comma, whatever the language of the page."""
    return f"{value:.1f}"


def number(value: float) -> str:
    """Write a value for a tick or a table cell in at most four significant digits."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.4g}"
