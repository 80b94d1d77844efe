"""What a population looks like to the model: the reference in an artifact, and the profile of a scoring."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handoff.dataset import Dataset
from handoff.profiles import Bins, Counted, Counts, Profile, Reference
from neural.data.attributes import read_attributes
from neural.data.history import Floats, expand
from neural.data.table import Counter, KindCounter
from neural.data.world import Queries, World
from neural.model import Model
from neural.tasks.base import Task
from neural.windows import to_iso

MONTH, QUARTER = 30.0, 90.0  # days
DIGITS = 4  # of a score, as in the score files

Values = Floats | Sequence[Any]  # numbers with NaN for none, or the attribute's own values


def make_reference(
    task: Task, model: Model, calibration: Mapping[str, Any], dataset: Dataset, at: float
) -> Reference:
    """Bin and count the population asked at `at`, and the model's scores of it."""
    queries = task.population(at)
    scores = np.round(task.strengths(model, calibration, queries), DIGITS)
    counted = {name: _counted(values) for name, values in _features(task, dataset, queries).items()}
    features = {name: one for name, one in counted.items() if one.bins.edges or one.bins.words}
    return Reference(to_iso(at), len(queries), features, _counted(scores))


def make_profile(
    reference: Reference, task: Task, dataset: Dataset, at: float, scores: Mapping[str, float | None]
) -> Profile:
    """Count those of `scores`, by customer, who belong to the population at `at`, in the reference's bins."""
    world, queries = task.world, task.population(at)
    names = [world.history.customers[number] for number in queries.customer]
    mine = np.asarray([index for index, name in enumerate(names) if name in scores], np.int64)
    found = _features(task, dataset, queries.take(mine))
    nothing = [None] * len(mine)
    values = np.asarray([scores[names[index]] for index in mine], np.float64)
    return Profile(
        at=to_iso(at),
        customers=len(mine),
        features={
            name: _count(counted.bins, found.get(name, nothing))
            for name, counted in reference.features.items()
        },
        scores=reference.scores.bins.count_numbers(values),
    )


def _features(task: Task, dataset: Dataset, queries: Queries) -> dict[str, Values]:
    found: dict[str, Values] = {**_customers(task.world, queries), **_visits(task.world, queries)}
    found.update({f"table_{name}": column for name, column in task.columns(queries).items()})
    found.update(_attributes(task.world, dataset, queries))
    return found


def _customers(world: World, queries: Queries) -> dict[str, Floats]:
    """One number a customer: events of each kind in the last month, and the rhythm of the outcomes."""
    history, counter = world.history, Counter(world.history)
    found = {
        f"kind_{kind}": KindCounter(history, index).count(queries, MONTH)
        for index, kind in enumerate(world.vocabulary.kinds)
        if index
    }
    gap = counter.gap(queries)[0]
    found["days_since"] = counter.days_since(queries)
    found["usual_gap"] = np.where(gap > 0, gap, np.nan)
    found["orders_90"] = counter.orders(queries, QUARTER).astype(np.float64)
    return found


def _visits(world: World, queries: Queries) -> dict[str, Floats]:
    """One number a visit of the last quarter."""
    history = world.history
    start = history.before(queries.customer, queries.time - QUARTER)
    _, visit = expand(start, history.before(queries.customer, queries.time))
    begins = history.visit_start[history.visit_customer[visit]] == visit
    before = history.visit_time[np.maximum(visit - 1, 0)]
    found = {
        "visit_gap": np.where(begins, np.nan, history.visit_time[visit] - before),
        "visit_amount": history.visit_amount[visit],
        "visit_quantity": history.visit_quantity[visit],
        "visit_products": (history.line_start[visit + 1] - history.line_start[visit]).astype(np.float64),
    }
    left_out = {f"visit_{name}" for name in world.config.excluded}
    return {name: values for name, values in found.items() if name not in left_out}


def _attributes(world: World, dataset: Dataset, queries: Queries) -> dict[str, Sequence[Any]]:
    names = [world.history.customers[number] for number in queries.customer]
    rows = read_attributes(dataset, names, world.config.excluded)
    known = sorted({name for row in rows for name in row})
    return {f"attribute_{name}": [row.get(name) for row in rows] for name in known}


def _counted(values: Values) -> Counted:
    if isinstance(values, np.ndarray):
        bins = Bins.of_numbers(values)
    elif all(value is None or _is_number(value) for value in values):
        bins = Bins.of_numbers(_numbers(values))
    else:
        bins = Bins.of_words(_words(values))
    return Counted(bins, _count(bins, values))


def _count(bins: Bins, values: Values) -> Counts:
    if isinstance(values, np.ndarray):
        return bins.count_numbers(values)
    return bins.count_words(_words(values)) if bins.words else bins.count_numbers(_numbers(values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(values: Sequence[Any]) -> Floats:
    return np.asarray([value if _is_number(value) else np.nan for value in values], np.float64)


def _words(values: Sequence[Any]) -> list[str | None]:
    """Each item of a list counts; an empty one is missing."""
    lists = [value if isinstance(value, list) else [value] for value in values]
    return [None if item is None else str(item) for found in lists for item in found or [None]]
