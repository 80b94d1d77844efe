"""Which attributes customers share, in clear: for counting who is alike and for saying so.

The encoder reads attributes as hashed words (`neural.data.attributes`); two of those may collide, so nothing
true could be said from them.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from handoff.dataset import Dataset
from neural.data.history import Ints

Word = tuple[str, str]  # attribute and value: ("country", "France")

LEAST_BEARERS = 5  # customers of a value, before anything is counted about them
MOST_WORDS = 512  # values that are told apart, the commonest


@dataclass(frozen=True)
class Traits:
    """The words of every customer that the dataset lists, those without any event included."""

    words: list[Word] = field(default_factory=list)  # V
    customers: pl.Series = field(default_factory=lambda: pl.Series("customer", [], pl.String))  # C
    # (C, W) numbers of each customer's words, -1 for padding
    table: Ints = field(default_factory=lambda: np.zeros((0, 1), np.int64))

    def of(self, customers: list[str]) -> Ints:
        """Numbers of the words of `customers`, -1 for padding: a row each, also for the unknown. (N, W)"""
        rows = pl.DataFrame({"customer": self.customers}).with_row_index("row")
        asked = pl.DataFrame({"customer": customers}, schema={"customer": pl.String})
        found = asked.join(rows, on="customer", how="left", maintain_order="left")["row"]
        padded = np.vstack([self.table, np.full((1, self.table.shape[1]), -1, np.int64)])
        return np.asarray(padded[found.fill_null(len(self.table)).to_numpy().astype(np.int64)])


def read_traits(
    dataset: Dataset,
    excluded: Iterable[str] = (),
    known: Collection[Word] | None = None,
    shard: int | None = None,
) -> Traits:
    """Read strings, true booleans and lists of strings; of `known` words, else those that enough share.

    A part of the customers, a `shard` say, is read with the words `known` of everybody, so that both number
    them alike.
    """
    rows = (
        dataset.customers(shard).select("customer", "attributes").collect().unique("customer", keep="first")
    )
    rows = rows.sort("customer")
    counts = dict(rows["attributes"].value_counts().iter_rows())
    left_out = set(excluded)
    parsed = {text: _words(text, left_out) for text in counts}
    words = sorted(_common(parsed, counts) if known is None else known)
    number = {word: index for index, word in enumerate(words)}
    coded = {text: [number[word] for word in found if word in number] for text, found in parsed.items()}
    width = max([len(found) for found in coded.values()], default=0) or 1
    padded = {text: found + [-1] * (width - len(found)) for text, found in coded.items()}
    table = np.asarray([padded[text] for text in rows["attributes"]], np.int64).reshape(-1, width)
    return Traits(words, rows["customer"], table)


def _common(parsed: Mapping[str | None, list[Word]], counts: Mapping[str | None, int]) -> list[Word]:
    bearers: Counter[Word] = Counter()
    for text, words in parsed.items():
        bearers.update(dict.fromkeys(words, counts[text]))
    common = sorted(bearers.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS]
    return [word for word, count in common if count >= LEAST_BEARERS]


def _words(text: str | None, left_out: set[str]) -> list[Word]:
    value: Any = json.loads(text) if text else {}
    if not isinstance(value, dict):
        return []
    return sorted({word for name in value.keys() - left_out for word in _of_one(name, value[name])})


def _of_one(name: str, value: Any) -> Iterable[Word]:
    if isinstance(value, str) and value:
        yield name, value
    elif value is True:
        yield name, "true"
    elif isinstance(value, list):
        yield from ((name, item) for item in value if isinstance(item, str) and item)
