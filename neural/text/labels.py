"""Labelled texts of a dataset, cut by time into what is learnt from, chosen by and tested on."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.missing import Missing
from neural.windows import EPOCH, Windows, parse_time, to_days

Ints = npt.NDArray[np.int64]

SUBJECTS = ("interaction", "question")
DAY_MS = 86_400_000
INSTANT = 1 / DAY_MS  # a millisecond: the last label lies before the end of the test window
SHARES = (0.7, 0.15, 0.15)  # of training, validation and test where time does not separate them
SMALLEST_SHARE = 0.05  # of all labels that a window by time must hold; training half of them
FEWEST = 2  # texts of a label, whatever the minimum: one to learn from while the other is held out
UNKNOWN = -1  # a label that too few training texts have


@dataclass(frozen=True)
class Texts:
    """N texts; `label` indexes the names of the split, or is UNKNOWN."""

    text: list[str]
    label: Ints  # (N,)
    frame: pl.DataFrame = field(repr=False)  # LABELS rows, in the same order

    def __len__(self) -> int:
        return len(self.text)

    def take(self, index: Ints) -> "Texts":
        return Texts([self.text[i] for i in index.tolist()], self.label[index], self.frame[index])

    @property
    def known(self) -> "Texts":
        """Those whose label the model can give."""
        return self.take(np.flatnonzero(self.label != UNKNOWN))

    def __add__(self, other: "Texts") -> "Texts":
        return Texts(
            self.text + other.text,
            np.concatenate([self.label, other.label]),
            pl.concat([self.frame, other.frame]),
        )


@dataclass(frozen=True)
class Split:
    names: list[str]  # labels that are learnt, in alphabetical order
    train: Texts  # texts of these alone
    validation: Texts
    test: Texts
    windows: Windows
    by: str  # "time", or "order" where the labels lie too close in time: shares of them in their order
    left_out: dict[str, int]  # labels with too few training texts, and how many texts they have in all


def read_labels(config: TrainingConfig, dataset: Dataset) -> pl.DataFrame:
    """The agent's labelled texts by the moment they speak of; of an item labelled twice the last word."""
    item = pl.when(pl.col("key") == "").then(pl.col("text")).otherwise(pl.col("key"))
    rows = (
        dataset.labels()
        .filter(
            pl.col("agent") == config.agent,
            pl.col("subject").is_in(SUBJECTS),
            pl.col("text").str.strip_chars() != "",
            pl.col("label") != "",
            pl.col("at").is_not_null(),
        )
        .with_columns(item.alias("item"))
        .collect()
    )
    last = rows.sort("said_at", "label", nulls_last=False).unique(
        ["subject", "customer", "item"], keep="last", maintain_order=True
    )
    # Texts of one moment are mixed: their keys may well be in the order of their labels.
    mixed = [
        zlib.crc32(f"{subject} {item}".encode()) for subject, item in last.select("subject", "item").rows()
    ]
    ordered = last.with_columns(pl.Series("mixed", mixed, pl.Int64)).sort("at", "mixed", "item")
    return ordered.drop("mixed", "item")


def split_labels(config: TrainingConfig, rows: pl.DataFrame, *, test: bool) -> Split:
    """Cut by time. Without `test` the test window's texts and labels are left out.

    Raises NotEnoughData with one fact for each label that has too few texts to learn from.
    """
    if rows.is_empty():
        raise NotEnoughData([{"code": "labels", "have": 0, "need": 2 * config.minimum.labels}])
    windows, bounds, by = _cut(config, rows["at"])
    labels = rows["label"].to_list()
    names, left_out = _learnable(config, labels, labels[: bounds[0]])
    for code, size in (("validation_labels", bounds[1] - bounds[0]), ("test_labels", bounds[2] - bounds[1])):
        if size == 0:
            raise NotEnoughData([{"code": code, "have": 0, "need": 1}])
    number = {name: index for index, name in enumerate(names)}
    known = np.asarray([number.get(label, UNKNOWN) for label in labels], np.int64)
    everything = Texts(rows["text"].to_list(), known, rows)
    train, validation, later = (
        everything.take(np.arange(begin, end))
        for begin, end in (
            (0, bounds[0]),
            (bounds[0], bounds[1]),
            (bounds[1], bounds[2] if test else bounds[1]),
        )
    )
    return Split(names, train.known, validation, later, windows, by, left_out)


def _learnable(
    config: TrainingConfig, labels: Sequence[str], early: Sequence[str]
) -> tuple[list[str], dict[str, int]]:
    need = max(config.minimum.labels, FEWEST)
    seen, counts = Counter(early), Counter(labels)
    names = sorted(name for name in counts if seen[name] >= need)
    if len(names) < 2:
        short: list[Missing] = [
            {"code": "label_texts", "label": name, "have": seen[name], "need": need}
            for name in sorted(counts, key=lambda name: (-seen[name], name))
            if seen[name] < need
        ]
        one_only: Missing = {"code": "label_kinds", "have": len(counts), "need": 2}
        raise NotEnoughData(short[:5] if len(counts) > 1 else [one_only])
    return names, {name: counts[name] for name in sorted(set(counts) - set(names))}


def _cut(config: TrainingConfig, at: pl.Series) -> tuple[Windows, tuple[int, int, int], str]:
    """Windows, and where training, validation and test end in the rows sorted by time."""
    days = (at - EPOCH).dt.total_microseconds().to_numpy() / (DAY_MS * 1000)  # (N,)
    horizon = float(config.horizon_days)
    end = float(days[-1]) + INSTANT
    test = end - horizon if config.test_cutoff is None else to_days(parse_time(config.test_cutoff))
    windows = Windows(float(days[0]), test - horizon, test, horizon)
    found = np.searchsorted(days, [windows.validation, windows.test, windows.end])
    bounds = (int(found[0]), int(found[1]), int(found[2]))
    if config.test_cutoff is not None or _balanced(bounds):
        return windows, bounds, "time"
    return _by_order(days)


def _balanced(bounds: tuple[int, int, int]) -> bool:
    sizes = np.diff([0, *bounds]) / max(1, bounds[2])
    return bool(sizes[0] >= 0.5 and min(sizes[1:]) >= SMALLEST_SHARE)


def _by_order(days: npt.NDArray[np.float64]) -> tuple[Windows, tuple[int, int, int], str]:
    """The first 70 % to learn from, then 15 % each; cut-offs are kept apart where the moments are one."""
    count = len(days)
    first = max(1, round(SHARES[0] * count))
    second = max(first + 1, round((SHARES[0] + SHARES[1]) * count))
    begin, last = float(days[0]), float(days[-1])
    validation = max(float(days[min(first, count - 1)]), begin + INSTANT)
    test = max(float(days[min(second, count - 1)]), validation + INSTANT)
    horizon = max(last, test) + INSTANT - test
    return Windows(begin, validation, test, horizon), (first, min(second, count), count), "order"
