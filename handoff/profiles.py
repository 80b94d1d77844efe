"""Profiles: how inputs and scores are distributed, so that drift can be told without the data.

`reference.json` lies in the artifact: the population asked at the test cut-off. `<scores>.profile.json`
lies beside each shard's score file: the same bins counted at `as_of`. Both are

    {"version": 1, "at": ISO time, "customers": 812,
     "features": {"orders_90": {"bins": BINS, "counts": [0, 310, …]}, …},   reference.json
     "features": {"orders_90": [0, 290, …], …},                            profile.json
     "scores":   {"bins": BINS, "counts": […]}  or  […]}

BINS is {"edges": [e1 … en]} for numbers, with n + 2 counts: missing, x < e1, e1 <= x < e2, …, en <= x;
or {"words": [w1 … wn]} for categories, with n + 2 counts: missing, w1, …, wn, any other word.
Counts add up over shards. A feature is counted per customer, or per visit of the last 90 days where it
speaks of visits (its name then begins with "visit_").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from handoff.errors import HandoffError
from handoff.files import read_json, write_json

VERSION = 1
REFERENCE = "reference.json"
DECILES = tuple(np.arange(1, 10) / 10)
MOST_WORDS = 20  # of a category's values that get a bin of their own
LEAST_NAMED = 5  # customers of a word before it is written down: a rarer one could tell who it is
SMOOTHING = 0.5  # counts added to every bin, so that an empty one does not make the index infinite

Counts = list[int]


def profile_path(scores: Path) -> Path:
    """Where the profile of a score file lies."""
    return scores.with_name(f"{scores.name}.profile.json")


@dataclass(frozen=True)
class Bins:
    """Bins of one feature: by edges or by words, exactly one of which is filled (or neither)."""

    edges: tuple[float, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of counts."""
        return len(self.edges) + len(self.words) + 2

    @classmethod
    def of_numbers(cls, values: npt.NDArray[np.floating]) -> Self:
        """Deciles of the finite values; equal ones become one edge."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls()
        edges = np.unique(np.quantile(finite, DECILES))
        low, high = finite.min(), finite.max()
        if low == high:  # a constant: below, equal, above
            return cls(edges=(float(low), float(np.nextafter(low, np.inf))))
        return cls(edges=tuple(float(edge) for edge in edges if edge > low) or (float(high),))

    @classmethod
    def of_words(cls, values: Sequence[str | None]) -> Self:
        """The most frequent words, in order of the alphabet; no rare ones, which might name a person."""
        found: dict[str, int] = {}
        for word in values:
            if word is not None:
                found[word] = found.get(word, 0) + 1
        known = [word for word, count in found.items() if count >= LEAST_NAMED]
        kept = sorted(known, key=lambda word: (-found[word], word))[:MOST_WORDS]
        return cls(words=tuple(sorted(kept)))

    def count_numbers(self, values: npt.NDArray[np.floating]) -> Counts:
        finite = values[np.isfinite(values)]
        place = 1 + np.searchsorted(np.asarray(self.edges), finite, side="right")
        counts = np.bincount(place, minlength=self.size)
        counts[0] = len(values) - len(finite)
        return [int(count) for count in counts]

    def count_words(self, values: Sequence[str | None]) -> Counts:
        place = {word: index for index, word in enumerate(self.words, start=1)}
        counts = [0] * self.size
        for word in values:
            counts[0 if word is None else place.get(word, self.size - 1)] += 1
        return counts

    def as_json(self) -> dict[str, Any]:
        return {"words": list(self.words)} if self.words else {"edges": list(self.edges)}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        return cls(edges=tuple(raw.get("edges", ())), words=tuple(raw.get("words", ())))


@dataclass(frozen=True)
class Counted:
    """Bins and what the reference population counts in them."""

    bins: Bins
    counts: Counts

    def as_json(self) -> dict[str, Any]:
        return {"bins": self.bins.as_json(), "counts": self.counts}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        bins = Bins.of(raw["bins"])
        if len(raw["counts"]) != bins.size:
            raise HandoffError(f"A reference has {len(raw['counts'])} counts for {bins.size} bins.")
        return cls(bins, [int(count) for count in raw["counts"]])


@dataclass(frozen=True)
class Reference:
    """`reference.json`."""

    at: str
    customers: int
    features: Mapping[str, Counted]
    scores: Counted

    def write(self, folder: Path) -> None:
        write_json(
            folder / REFERENCE,
            {
                "version": VERSION,
                "at": self.at,
                "customers": self.customers,
                "features": {name: found.as_json() for name, found in self.features.items()},
                "scores": self.scores.as_json(),
            },
        )

    @classmethod
    def read(cls, artifact: Path) -> Self | None:
        """Return an artifact's reference; None for one sealed before there was any."""
        if not (artifact / REFERENCE).exists():
            return None
        raw = _checked(artifact / REFERENCE)
        features = {name: Counted.of(found) for name, found in raw["features"].items()}
        return cls(raw["at"], int(raw["customers"]), features, Counted.of(raw["scores"]))


@dataclass(frozen=True)
class Profile:
    """`<scores>.profile.json`, or the sum of several."""

    at: str
    customers: int
    features: Mapping[str, Counts] = field(default_factory=dict)
    scores: Counts = field(default_factory=list)

    def write(self, path: Path) -> None:
        write_json(path, {"version": VERSION, **vars(self)})

    @classmethod
    def read(cls, path: Path) -> Self:
        raw = _checked(path)
        return cls(raw["at"], int(raw["customers"]), raw["features"], raw["scores"])


def _checked(path: Path) -> dict[str, Any]:
    raw = read_json(path)
    if raw.get("version") != VERSION:
        raise HandoffError(f"{path} has profile version {raw.get('version')}, this code reads {VERSION}.")
    return raw


def sum_profiles(profiles: Iterable[Profile]) -> Profile:
    """Add the shards of one scoring. Raises HandoffError for none, or for shards with other bins."""
    shards = list(profiles)
    if not shards:
        raise HandoffError("There is no profile to add up.")
    names = list(shards[0].features)
    if any(list(shard.features) != names for shard in shards):
        raise HandoffError("These profiles are of different features, so of different models.")
    return Profile(
        at=shards[0].at,
        customers=sum(shard.customers for shard in shards),
        features={name: _added([shard.features[name] for shard in shards]) for name in names},
        scores=_added([shard.scores for shard in shards]),
    )


def _added(counts: Sequence[Counts]) -> Counts:
    if len({len(part) for part in counts}) != 1:
        raise HandoffError("These profiles have different bins, so are of different models.")
    return [sum(column) for column in zip(*counts, strict=True)]


def psi(expected: Counts, actual: Counts) -> float | None:
    """Population stability index of counts in the same bins; None where either side is empty.

    Sum over bins of (a - e) * ln(a / e), with a and e the shares (Siddiqi, *Credit Risk Scorecards*,
    2006); by custom below 0.1 is stable and above 0.25 a large shift. SMOOTHING is added to every count.
    """
    if len(expected) != len(actual):
        raise HandoffError(f"{len(expected)} bins cannot be compared with {len(actual)}.")
    if not sum(expected) or not sum(actual):
        return None
    # Bins that neither side fills tell nothing; smoothing them would only dilute the others.
    pairs = np.asarray([pair for pair in zip(expected, actual, strict=True) if any(pair)], float) + SMOOTHING
    share = pairs / pairs.sum(axis=0)
    return float(((share[:, 1] - share[:, 0]) * np.log(share[:, 1] / share[:, 0])).sum())


def psi_by_chance(expected: Counts, actual: Counts) -> float:
    """What the index is on average where nothing has changed: (B - 1) * (1 / n + 1 / m).

    B bins that either side fills, n and m observations (Yurdakul and Naranjo, "Statistical properties of
    the population stability index", *Journal of Risk Model Validation* 14(4), 2020). A small population
    reaches the customary 0.1 by chance alone; compare with this before raising an alarm.
    """
    bins = sum(1 for pair in zip(expected, actual, strict=True) if any(pair))
    n, m = sum(expected), sum(actual)
    return (bins - 1) * (1 / n + 1 / m) if n and m else 0.0


@dataclass(frozen=True)
class Drift:
    """How far one feature, or the scores, moved."""

    name: str
    psi: float
    by_chance: float


def drifts(reference: Reference, profile: Profile) -> tuple[list[Drift], Drift | None]:
    """Return the drift of every feature that both know, the largest first, and that of the scores."""
    found = [
        _drift(name, counted.counts, profile.features[name])
        for name, counted in reference.features.items()
        if name in profile.features
    ]
    known = sorted((one for one in found if one is not None), key=lambda one: (-one.psi, one.name))
    return known, _drift("scores", reference.scores.counts, profile.scores)


def _drift(name: str, expected: Counts, actual: Counts) -> Drift | None:
    value = psi(expected, actual)
    return None if value is None else Drift(name, value, psi_by_chance(expected, actual))
