"""Results customer by customer, so that means, differences and ratios get intervals from the same draws."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.resampling import RESAMPLES, draws

Floats = npt.NDArray[np.float64]

MEAN = "mean of the cut-offs"
LEVEL = 95  # percent


@dataclass(frozen=True)
class Result:
    """What one method did at one cut-off. `values` name -> (R,), a row a customer, NaN where none counts."""

    method: str
    cutoff: str
    customers: tuple[str, ...]
    values: dict[str, Floats]
    fit: float  # CPU seconds
    score: float  # CPU seconds for all customers with a history
    ours: bool = False
    seed: int = 0
    note: str = ""


def keep(result: Result, folder: Path) -> None:
    """Write a result, so that a later run can set others beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {name: value for name, value in vars(result).items() if name not in ("customers", "values")}
    frame = pl.DataFrame({"customer": result.customers, **result.values})
    name = f"{result.cutoff} {result.method} {result.seed}"
    frame.write_parquet(folder / f"{name}.parquet")
    (folder / f"{name}.json").write_text(json.dumps(facts))


def read_kept(folder: Path, cutoffs: Sequence[str]) -> list[Result]:
    """The results of a folder at some cut-offs, in the order in which they were written."""
    found = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
        facts = json.loads(path.read_text())
        if facts["cutoff"] in cutoffs:
            frame = pl.read_parquet(path.with_suffix(".parquet"))
            values = {name: frame[name].to_numpy() for name in frame.columns[1:]}
            found.append(Result(customers=tuple(frame["customer"]), values=values, **facts))
    return found


@dataclass(frozen=True)
class Figure:
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, plain: float, drawn: Floats) -> "Figure":
        known = drawn[np.isfinite(drawn)]
        if not len(known):
            return cls(float(plain), np.nan, np.nan)
        edge = (100 - LEVEL) / 2
        low, high = np.percentile(known, [edge, 100 - edge])
        return cls(float(plain), float(low), float(high))


class Results:
    """Results of several methods on the same customers; those of several seeds are averaged by customer."""

    def __init__(self, results: Iterable[Result], resamples: int = RESAMPLES) -> None:
        self.results, self.resamples = list(results), resamples
        self.cutoffs = list(dict.fromkeys(result.cutoff for result in self.results))
        self.methods = list(dict.fromkeys(result.method for result in self.results))
        for cutoff in self.cutoffs:
            asked = {result.customers for result in self.results if result.cutoff == cutoff}
            if len(asked) > 1:
                raise ValueError(f"The methods were not asked about the same customers at {cutoff}.")

    def splits(self, method: str) -> list[str]:
        """The cut-offs at which the method was measured, and their mean where that is all."""
        found = [cutoff for cutoff in self.cutoffs if self._of(method, cutoff)]
        return [*found, MEAN] if len(found) == len(self.cutoffs) > 1 else found

    def figure(self, method: str, metric: str, split: str, only: str = "") -> Figure:
        """`only` names values of 0 and 1 that say which customers count."""
        return Figure.of(*self._drawn(method, metric, split, only))

    def difference(self, method: str, other: str, metric: str, split: str) -> Figure:
        mine, theirs = self._drawn(method, metric, split), self._drawn(other, metric, split)
        return Figure.of(mine[0] - theirs[0], mine[1] - theirs[1])

    def ratio(self, method: str, other: str, metric: str, split: str) -> Figure:
        mine, theirs = self._drawn(method, metric, split), self._drawn(other, metric, split)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Figure.of(mine[0] / theirs[0], mine[1] / theirs[1])

    def best_peer(self, metric: str, split: str) -> str | None:
        """The peer with the highest figure among those measured on the whole of the split."""
        peers = {result.method for result in self.results if not result.ours}
        found = [name for name in self.methods if name in peers and split in self.splits(name)]
        return max(found, key=lambda name: self._drawn(name, metric, split)[0], default=None)

    def seconds(self, method: str, split: str) -> tuple[float, float]:
        """CPU seconds to fit and to score: the mean over seeds and, for MEAN, over cut-offs."""
        cutoffs = self.cutoffs if split == MEAN else [split]
        found = [(result.fit, result.score) for cutoff in cutoffs for result in self._of(method, cutoff)]
        fit, score = np.mean(found, axis=0)
        return float(fit), float(score)

    def note(self, method: str) -> str:
        """What else decides the method's figures."""
        return next(each.note for each in self.results if each.method == method)

    def _of(self, method: str, cutoff: str) -> list[Result]:
        return [each for each in self.results if (each.method, each.cutoff) == (method, cutoff)]

    def _drawn(self, method: str, metric: str, split: str, only: str = "") -> tuple[float, Floats]:
        """The mean over customers, of cut-offs too for MEAN: as it is, and in every resample."""
        cutoffs = self.cutoffs if split == MEAN else [split]
        plain, drawn = [], []
        for cutoff in cutoffs:
            weights, found = self._weights[cutoff], self._of(method, cutoff)
            values = np.mean(
                [each.values.get(metric, np.full(weights.shape[1], np.nan)) for each in found], axis=0
            )
            if only:
                values = np.where(found[0].values[only] == 1, values, np.nan)
            known = np.isfinite(values)
            filled = np.where(known, values, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                plain.append(np.float64(filled.sum()) / known.sum())
                drawn.append((weights @ filled) / (weights @ known.astype(float)))
        return float(np.mean(plain)), np.asarray(np.mean(drawn, axis=0))

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        """How often each row is drawn, (B, R) of each cut-off: a customer comes with all of its rows."""
        names: Sequence[tuple[str, ...]] = [
            next(each.customers for each in self.results if each.cutoff == cutoff) for cutoff in self.cutoffs
        ]
        owner = np.concatenate([np.array(each, dtype=object) for each in names]).astype(str)
        drawn = np.concatenate(list(draws(owner, self.resamples, 0)))
        stops = np.cumsum([len(each) for each in names])[:-1]
        return dict(zip(self.cutoffs, np.split(drawn.astype(float), stops, axis=1), strict=True))
