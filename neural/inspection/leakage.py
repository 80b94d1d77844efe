"""Leakage: a field that alone tells the label too well, by its value or by being filled at all.

Attributes are as they are today, not as they were at the cut-off; what staff enter once a customer has
gone looks like the best feature there is, and is worth nothing on the day it is needed.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from handoff.dataset import Dataset
from handoff.inspection import Finding, Leakage
from neural.data.attributes import read_attributes
from neural.data.history import Bools, Floats, Ints
from neural.data.table import KindCounter
from neural.inspection.fields import is_date
from neural.tasks.base import Task
from neural.windows import Windows

LIMIT = 0.85  # area under the ROC curve that no honest attribute reaches alone
CERTAIN = 0.95  # from here on a run would only learn the leak
LEAST = 10  # customers of either class
FOLDS = 5
PRIOR = 2.0  # customers that the mean rate counts as, when a category's rate is taken
CODES = 20  # different values up to which a number may be a code
ONE_SIDED = 20.0  # times as often filled on one side as on the other
SURE = 5.0  # standard errors between the two shares
LOOK_BACK = 90.0  # days of events before the cut-off


@dataclass(frozen=True)
class Column:
    """One field of the customers asked about; None where it is empty."""

    name: str
    values: Sequence[Any]
    fold: Ints
    label: Bools
    excluded: bool = False

    @cached_property
    def filled(self) -> Bools:
        return np.asarray([value is not None and value != [] for value in self.values], bool)

    @cached_property
    def distinct(self) -> int:
        return len({json.dumps(value) for value in self.values if value is not None and value != []})

    @cached_property
    def numbers(self) -> Floats | None:
        """The filled values as numbers, dates as days; None where they are words."""
        known = [value for value, filled in zip(self.values, self.filled, strict=True) if filled]
        if all(isinstance(value, int | float) for value in known):
            return np.asarray(known, np.float64)
        if all(is_date(value) for value in known):
            return np.asarray([_days(value) for value in known])
        return None


def _days(text: str) -> float:
    found = datetime.fromisoformat(text).replace(tzinfo=None)
    return (found - datetime(1970, 1, 1)).total_seconds() / 86_400  # noqa: DTZ001  (only their order counts)


def look(task: Task, dataset: Dataset, windows: Windows) -> tuple[tuple[Leakage, ...], list[Finding]]:
    """Test every attribute and every kind of event before the cut-off against the validation labels."""
    outcome = task.outcome(windows.validation)
    if outcome is None:
        return (), []
    queries, label = outcome
    history, config = task.world.history, task.world.config
    names = [history.customers[number] for number in queries.customer]
    fold = np.asarray([zlib.crc32(name.encode()) % FOLDS for name in names], np.int64)
    rows = read_attributes(dataset, names, ())
    known = sorted({name for row in rows for name in row})
    columns = [
        Column(f"attributes.{name}", [row.get(name) for row in rows], fold, label, name in config.excluded)
        for name in known
    ]
    for index, kind in enumerate(task.world.vocabulary.kinds):
        if index and kind not in config.outcome_kinds:
            count = KindCounter(history, index).count(queries, LOOK_BACK)
            columns.append(Column(f"kinds.{kind}", count.tolist(), fold, label))
    found, findings = [], []
    for column in columns:
        tested, said = test(column)
        found.append(tested)
        findings.extend(said)
    return tuple(found), findings


def test(column: Column) -> tuple[Leakage, list[Finding]]:
    """Return what a column tells, and the findings that follow; none for one that is already left out."""
    filled, label = column.filled, column.label
    positives, negatives = int(label.sum()), int((~label).sum())
    value = _value_auc(column)
    yes, no = (float(filled[side].mean()) if side.any() else None for side in (label, ~label))
    presence = None if yes is None or no is None else 0.5 + abs(yes - no) / 2
    findings = []
    if value is not None and min(positives, negatives) >= LEAST:
        one, other = int((label & filled).sum()), int((~label & filled).sum())
        low = value - 1.96 * _standard_error(value, one, other)
        if low > LIMIT:
            facts = {"auc": value, "low": low, "count": one + other, "positives": one, "limit": LIMIT}
            findings.append(Finding("leak", _severity(value), column.name, facts))
    if (
        yes is not None
        and no is not None
        and presence is not None
        and _one_sided(yes, no, positives, negatives)
    ):
        facts = {
            "auc": presence,
            "filled_positives": yes,
            "filled_negatives": no,
            "positives": positives,
            "negatives": negatives,
        }
        findings.append(Finding("filled_after", _severity(presence), column.name, facts))
    tested = Leakage(column.name, value, presence, yes, no, column.distinct, bool(findings), column.excluded)
    return tested, [] if column.excluded else findings


def _severity(auc: float) -> Any:
    return "stop" if auc >= CERTAIN else "warn"


def _value_auc(column: Column) -> float | None:
    """How well the filled values tell the label: their order where they are numbers, else their rates."""
    label = column.label[column.filled]
    if min(int(label.sum()), int((~label).sum())) < LEAST or column.distinct < 2:
        return None
    found = []
    if column.numbers is not None and np.isfinite(column.numbers).all():
        area = float(roc_auc_score(label, column.numbers))
        found.append(max(area, 1 - area))
    if column.numbers is None or column.distinct <= CODES:
        found.append(_rate_auc(column, label))
    return max(found, default=None)


def _rate_auc(column: Column, label: Bools) -> float:
    """Each customer by the rate of its categories among the other folds' customers, fold by fold.

    Taken from all customers alike, the rate of a rare category would know the very label it is to tell.
    """
    fold = column.fold[column.filled]
    owner, code = _codes(
        [value for value, filled in zip(column.values, column.filled, strict=True) if filled]
    )
    size, areas, weights = int(code.max()) + 1, [], []
    for number in range(FOLDS):
        test, train = fold == number, fold != number
        if not 0 < label[test].sum() < test.sum() or not train.any():
            continue
        mine = train[owner]
        prior = float(label[train].mean())
        count = np.bincount(code[mine], minlength=size)
        hits = np.bincount(code[mine], label[owner[mine]].astype(np.float64), size)
        rate = (hits + PRIOR * prior) / (count + PRIOR)
        per_row = np.bincount(owner, rate[code], len(label)) / np.maximum(
            np.bincount(owner, minlength=len(label)), 1
        )
        areas.append(float(roc_auc_score(label[test], per_row[test])))
        weights.append(int(test.sum()))
    return float(np.average(areas, weights=weights)) if areas else 0.5


def _codes(values: Sequence[Any]) -> tuple[Ints, Ints]:
    """Number the categories; a list counts once for each of its items."""
    owner = [index for index, value in enumerate(values) for _ in _items(value)]
    words = [str(item) for value in values for item in _items(value)]
    return np.asarray(owner, np.int64), np.unique(words, return_inverse=True)[1].astype(np.int64)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _standard_error(auc: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil, "The meaning and use of the area under a ROC curve", *Radiology* 143, 1982."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return float(np.sqrt(max(spread, 0.0) / (positives * negatives)))


def _one_sided(yes: float, no: float, positives: int, negatives: int) -> bool:
    """Whether filled is practically one side's own, and that by no chance."""
    if min(positives, negatives) < LEAST:
        return False
    pooled = (yes * positives + no * negatives) / (positives + negatives)
    error = np.sqrt(pooled * (1 - pooled) * (1 / positives + 1 / negatives))
    if abs(yes - no) <= SURE * error:
        return False
    return 0.5 + abs(yes - no) / 2 > LIMIT or max(yes, no) > ONE_SIDED * min(yes, no)
