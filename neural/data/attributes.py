"""Static facts of customers and products' own attributes as numbers.

`customers.attributes` is a JSON object. Strings, booleans and lists of strings become hashed words
("country=France"); numbers are standardised with the mean and spread of the training customers.
"""

import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.dataset import Dataset
from neural.data.history import Ints

BUCKETS = 512  # 0 is kept for padding


@dataclass(frozen=True)
class Attributes:
    """One row for each customer of the history."""

    words: Ints  # (N, W) hashed words, 0 for padding
    numbers: npt.NDArray[np.float32]  # (N, 2 * F) standardised value and whether it is known


@dataclass(frozen=True)
class NumberScale:
    """Mean and spread of each numeric attribute, from the training customers."""

    mean: dict[str, float]
    spread: dict[str, float]


def read_attributes(dataset: Dataset, customers: list[str], excluded: Iterable[str]) -> list[dict[str, Any]]:
    """Return each customer's attributes less the excluded ones; {} for a customer the table lacks."""
    wanted = pl.DataFrame({"customer": customers}, schema={"customer": pl.String})
    table = dataset.customers().select("customer", "attributes")
    table = table.join(wanted.lazy(), on="customer", how="semi", maintain_order="left")
    joined = wanted.join(
        table.collect(engine="streaming").unique("customer", keep="first"),
        on="customer",
        how="left",
        maintain_order="left",
    )
    left_out = set(excluded)
    return [_parse(text, left_out) for text in joined["attributes"]]


def _parse(text: str | None, left_out: set[str]) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    if not isinstance(value, dict):
        return {}
    return {name: item for name, item in value.items() if name not in left_out and item is not None}


def fit_scale(rows: list[dict[str, Any]]) -> NumberScale:
    """Learn the scale of every numeric attribute."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if _is_number(value):
                values.setdefault(name, []).append(float(value))
    mean = {name: float(np.mean(found)) for name, found in sorted(values.items())}
    spread = {name: float(np.std(found)) or 1.0 for name, found in sorted(values.items())}
    return NumberScale(mean, spread)


def encode_attributes(rows: list[dict[str, Any]], scale: NumberScale) -> Attributes:
    """Turn attributes into hashed words and standardised numbers."""
    words = [sorted({_bucket(word) for word in _words(row)}) for row in rows]
    width = max([len(found) for found in words], default=0) or 1
    table = np.zeros((len(rows), width), np.int64)
    for index, found in enumerate(words):
        table[index, : len(found)] = found
    names = sorted(scale.mean)
    numbers = np.zeros((len(rows), 2 * len(names)), np.float32)
    for index, row in enumerate(rows):
        for place, name in enumerate(names):
            if _is_number(row.get(name)):
                value = (float(row[name]) - scale.mean[name]) / scale.spread[name]
                numbers[index, 2 * place : 2 * place + 2] = (np.clip(value, -5, 5), 1.0)
    return Attributes(table, numbers)


def _words(row: dict[str, Any]) -> Iterable[str]:
    for name, value in row.items():
        if isinstance(value, list):
            yield from (f"{name}={item}" for item in value)
        elif isinstance(value, str | bool):
            yield f"{name}={value}"


def _bucket(word: str) -> int:
    return 1 + zlib.crc32(word.encode()) % (BUCKETS - 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
