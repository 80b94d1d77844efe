"""Metrics of rows that carry weights: with weights of 1 the plain metric, with drawn ones a resample of it.

A measure is made once of R rows and then asked about many weightings at a time, (B, R) -> (B, M). A metric
that a weighting leaves undefined (one class alone, nobody warned of) is NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]  # (B, R)

BINS = 10  # of calibration
TOP = 0.1  # share of the rows that "lift@10" looks at
MOST = 10_000  # distinct scores that are told apart
SMALLEST = 1e-6  # a probability of 0 that was wrong would cost endlessly


class Measure(Protocol):
    @property
    def names(self) -> tuple[str, ...]:
        """The M metrics, in the order of the columns."""

    def __call__(self, weights: Weights) -> Floats:
        """Return the metrics of every weighting. (B, R) -> (B, M)"""


class Averages:
    """Metrics that are means over the rows; a NaN does not count. values (R, M)"""

    def __init__(self, values: npt.NDArray[np.floating[Any]], names: tuple[str, ...]) -> None:
        self.names = names
        known = np.isfinite(values)
        self._values = np.where(known, values, 0.0).astype(np.float64)
        # Metrics that count the same rows share one denominator.
        patterns, self._pattern = np.unique(known, axis=1, return_inverse=True)
        self._known = patterns.astype(np.float64)

    def __call__(self, weights: Weights) -> Floats:
        if not self.names:
            return np.zeros((len(weights), 0))
        return divide(weights @ self._values, (weights @ self._known)[:, np.ravel(self._pattern)])


@dataclass(frozen=True)
class Groups:
    """Weight of the positives and of all rows at each distinct score, the highest score first. 2 x (B, G)"""

    positive: Floats
    total: Floats

    @cached_property
    def hits(self) -> Floats:
        """Weight of the positives from the highest score down to each. (B, G)"""
        return np.cumsum(self.positive, axis=1)

    @cached_property
    def seen(self) -> Floats:
        """The same of all rows. (B, G)"""
        return np.cumsum(self.total, axis=1)


class Binary:
    """Metrics of yes or no: by a score that ranks, by probabilities, and by who is warned of."""

    ALL = (
        *("roc_auc", "pr_auc", "brier", "log_loss", "ece"),
        *("accuracy", "precision", "recall", "f1", "lift@10"),
    )
    RANKED = ("roc_auc", "pr_auc", "lift@10")

    @classmethod
    def named(cls, names: Iterable[str] | None) -> tuple[str, ...]:
        """Return the metrics among `names` that there are, or all."""
        return cls.ALL if names is None else tuple(name for name in names if name in cls.ALL)

    def __init__(
        self,
        label: npt.NDArray[np.bool_],
        probability: Floats,
        rank: npt.NDArray[Any],
        warned: npt.NDArray[np.bool_],
        names: tuple[str, ...] = ALL,
    ) -> None:
        self.names = names
        self._ranks = bool(set(names) & set(self.RANKED))
        if self._ranks and len(label):
            self._order = np.argsort(-rank, kind="stable")
            self._first = _coarse(rank[self._order])
            self._label = label[self._order].astype(np.float32)
        self._sums_up = not set(names) <= set(self.RANKED)
        self._rows = len(label)
        if self._sums_up:  # 17 numbers a row, which a ranking metric on dozens of slices can do without
            self._columns = self._summed(label, probability, warned)

    @staticmethod
    def _summed(
        label: npt.NDArray[np.bool_], probability: Floats, warned: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """What `_sums` adds up. (R, 7 + BINS)"""
        clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
        place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        distance = np.zeros((len(label), BINS))
        distance[np.arange(len(label)), place] = probability - label
        return np.column_stack(
            [
                np.ones(len(label)),
                label,
                warned,
                warned & label,
                warned == label,
                (probability - label) ** 2,
                -np.log(np.where(label, clipped, 1 - clipped)),
                distance,
            ]
        )

    def __call__(self, weights: Weights) -> Floats:
        if not self._rows:
            return np.full((len(weights), len(self.names)), np.nan)
        found = self._sums(weights) if self._sums_up else {}
        if self._ranks:
            found |= self._ranking(self._groups(weights))
        return np.column_stack([found[name] for name in self.names])

    def _sums(self, weights: Weights) -> dict[str, Floats]:
        sums = weights @ self._columns  # (B, 7 + BINS)
        total, positive, warned, hit, right, square, surprise = sums[:, :7].T
        return {
            "brier": divide(square, total),
            "log_loss": divide(surprise, total),
            "ece": divide(np.abs(sums[:, 7:]).sum(axis=1), total),
            "accuracy": divide(right, total),
            "precision": divide(hit, warned),
            "recall": divide(hit, positive),
            "f1": np.where(hit > 0, divide(2 * hit, warned + positive), np.nan),
        }

    def _groups(self, weights: Weights) -> Groups:
        ordered = weights[:, self._order]
        positive = np.add.reduceat(ordered * self._label, self._first, axis=1, dtype=np.float64)
        return Groups(positive, np.add.reduceat(ordered, self._first, axis=1, dtype=np.float64))

    def _ranking(self, groups: Groups) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        if "roc_auc" in self.names:
            found["roc_auc"] = roc_area(groups)
        if "pr_auc" in self.names:
            found["pr_auc"] = average_precision(groups)
        if "lift@10" in self.names:
            found["lift@10"] = lift(groups)
        return found


def _coarse(ordered: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Where each distinct score begins; beyond MOST of them neighbours are taken together.

    So joined, at most one pair in MOST is taken for a tie: no metric here moves by as much as 1 / MOST, and
    a tenth of a million rows takes seconds, not minutes.
    """
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    if len(first) <= MOST:
        return first
    wanted = np.linspace(0, len(ordered), MOST, endpoint=False)
    return np.unique(first[np.searchsorted(first, wanted, side="right") - 1])


def roc_area(groups: Groups) -> Floats:
    """Chance that a positive ranks above a negative; a tie counts half. (B,)"""
    negative = groups.total - groups.positive
    won = ((groups.hits - groups.positive / 2) * negative).sum(axis=1)
    return divide(won, groups.hits[:, -1] * negative.sum(axis=1))


def average_precision(groups: Groups) -> Floats:
    """Precision at each distinct score, weighed by the recall gained there. (B,)"""
    hits, seen = groups.hits, groups.seen
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return divide((precision * groups.positive).sum(axis=1), hits[:, -1])


def lift(groups: Groups) -> Floats:
    """Share of positives in the top tenth over that in all; ties at its edge count as in a draw. (B,)"""
    hits, seen = groups.hits, groups.seen
    row = np.arange(len(seen))
    size = np.maximum(np.rint(seen[:, -1] * TOP), 1.0)
    edge = np.minimum((seen < size[:, None]).sum(axis=1), seen.shape[1] - 1)
    tied, missing = groups.total[row, edge], seen[row, edge] - size
    inside = hits[row, edge] - divide(groups.positive[row, edge] * missing, tied)
    return divide(inside * seen[:, -1], size * hits[:, -1])


def divide(over: Floats, under: Floats) -> Floats:
    """Divide; NaN where nothing is to be divided by."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
