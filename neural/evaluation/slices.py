"""Where a model is weak: its metric on parts of the test window, the weakest part first.

Parts are cut by what was known at the cut-off: attributes such as the country, and bands of tenure, recency,
number of purchases and spend, which are quarters of the window's own customers.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.measures import Floats, Measure, Weights
from handoff.predictions import SLICE, measure, slice_names
from handoff.resampling import Interval, resample
from neural.data.attributes import read_attributes
from neural.data.history import Bools

DAY = 86_400  # seconds
SMALLEST = 50  # examples of a slice that is ranked
RAREST = 10  # of each outcome, where the metric needs both
VALUES = 12  # of an attribute that get a slice each; the rest are taken together
DIFFERENT = 100  # values beyond which an attribute names customers rather than kinds of them
ATTRIBUTES = 6
BANDS = 4
DIGITS = 6


@dataclass(frozen=True)
class Slice:
    """A part of the examples. `facts` says which: `by`, and `which` or `from` and `to` (None: open)."""

    facts: dict[str, Any]
    rows: Bools  # (R,)


def with_slices(examples: pl.DataFrame, dataset: Dataset, config: TrainingConfig) -> pl.DataFrame:
    """Add the columns that slices are cut by; null where nothing was known of a customer at that moment."""
    known = examples.join(
        _history(examples, dataset, config), on=["customer", "at"], how="left", maintain_order="left"
    )
    found = known.select(
        (pl.col("at") - pl.col("first")).dt.total_seconds().truediv(DAY).alias(f"{SLICE}tenure_days"),
        (pl.col("at") - pl.col("last")).dt.total_seconds().truediv(DAY).alias(f"{SLICE}recency_days"),
        pl.col("purchases").cast(pl.Float64).alias(f"{SLICE}purchases"),
        pl.col("spend").alias(f"{SLICE}spend"),
    )
    attributes = _attributes(examples["customer"], dataset, config.excluded)
    return examples.with_columns(*found.get_columns(), *attributes)


def weakest_first(examples: pl.DataFrame, metric: str, *, higher_is_better: bool = True) -> dict[str, Any]:
    """The content of "slices" in `evaluation.json`: the metric of every slice, {} without examples.

    A slice too small to be judged is marked and stands last; `below` marks one whose interval lies wholly on
    the worse side of the metric of all.
    """
    found = list(_slices(examples))
    if examples.is_empty() or not found:
        return {}
    whole = measure(examples, names=(metric,))
    asked: dict[str, Measure] = {"all": whole, **dict(_measures(examples, metric, found))}
    drawn = resample(asked, examples["customer"].to_numpy())
    overall = drawn["all"].interval(metric)
    groups = []
    for number, part in enumerate(found):
        each = drawn[str(number)].interval(metric)
        groups.append(_entry(examples, metric, part, each, overall.value, higher_is_better))
    groups.sort(key=lambda entry: _place(entry, higher_is_better))
    return {"metric": metric, "all": _short(overall.value), "smallest": SMALLEST, "groups": groups}


def _history(examples: pl.DataFrame, dataset: Dataset, config: TrainingConfig) -> pl.DataFrame:
    """First and last purchase, number and worth of them before each example's moment."""
    asked = examples.select("customer", "at").unique()
    events = dataset.events().filter(pl.col("kind").is_in(list(config.outcome_kinds)))
    before = events.rename({"at": "bought"}).join(asked.lazy(), on="customer")
    worth = pl.lit(None) if "amount" in config.excluded else pl.col("amount").fill_nan(None).sum()
    return (
        before.filter(pl.col("bought") < pl.col("at"))
        .group_by("customer", "at")
        .agg(
            pl.col("bought").min().alias("first"),
            pl.col("bought").max().alias("last"),
            pl.coalesce("basket", pl.col("bought").cast(pl.String)).n_unique().alias("purchases"),
            worth.cast(pl.Float64).alias("spend"),
        )
        .collect()
    )


def _attributes(customers: pl.Series, dataset: Dataset, excluded: Iterable[str]) -> Iterator[pl.Series]:
    """Attributes with few values, as far as the manager lets them be used."""
    rows = read_attributes(dataset, customers.to_list(), excluded)
    found = 0
    for name in sorted({name for row in rows for name in row}):
        values = [row.get(name) for row in rows]
        texts = pl.Series(SLICE + name, [_text(value) for value in values], pl.String)
        if found < ATTRIBUTES and 2 <= texts.drop_nulls().n_unique() <= DIFFERENT:
            found += 1
            yield texts


def _text(value: Any) -> str | None:
    """What a slice is named by; numbers and lists name none."""
    if isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else None


def _slices(examples: pl.DataFrame) -> Iterator[Slice]:
    for name in slice_names(examples):
        column = examples[SLICE + name]
        if column.dtype == pl.String:
            yield from _by_value(name, column)
        else:
            yield from _by_band(name, column.cast(pl.Float64).fill_null(np.nan).to_numpy())


def _by_value(name: str, column: pl.Series) -> Iterator[Slice]:
    counts = column.drop_nulls().value_counts(sort=True, name="count")
    common = counts.filter(pl.col("count") >= SMALLEST)[column.name].to_list()[:VALUES]
    if not common:
        return
    for value in sorted(common):
        yield Slice({"by": name, "which": value}, (column == value).fill_null(False).to_numpy())
    rest = (~column.is_in(common)).fill_null(False).to_numpy()
    if rest.any():
        yield Slice({"by": name, "which": None}, rest)


def _by_band(name: str, values: npt.NDArray[np.float64]) -> Iterator[Slice]:
    known = values[np.isfinite(values)]
    if not len(known):
        return
    inner = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS, method="higher"))
    edges = [edge for edge in inner.tolist() if edge > known.min()]
    if not edges:
        return
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        rows = np.isfinite(values)
        rows &= True if low is None else values >= low
        rows &= True if high is None else values < high
        yield Slice({"by": name, "from": _short(low), "to": _short(high)}, rows)


def _measures(examples: pl.DataFrame, metric: str, found: Iterable[Slice]) -> Iterator[tuple[str, Measure]]:
    for number, part in enumerate(found):
        yield str(number), _Part(measure(examples.filter(part.rows), names=(metric,)), part.rows)


class _Part:
    """A measure of some of the rows, asked with the weights of all."""

    def __init__(self, of: Measure, rows: Bools) -> None:
        self._of, self._rows = of, np.flatnonzero(rows)

    @property
    def names(self) -> tuple[str, ...]:
        return self._of.names

    def __call__(self, weights: Weights) -> Floats:
        return self._of(np.ascontiguousarray(weights[:, self._rows]))


def _entry(
    examples: pl.DataFrame,
    metric: str,
    part: Slice,
    found: Interval,
    overall: float | None,
    higher_is_better: bool,
) -> dict[str, Any]:
    rows = examples.filter(part.rows)
    count = len(rows) if "label" in rows.columns else rows[metric].is_not_null().sum()
    entry = {
        **part.facts,
        "count": int(count),
        "value": _short(found.value),
        "low": _short(found.low),
        "high": _short(found.high),
        "enough": _enough(rows, int(count)) and found.low is not None,
    }
    worst = found.high if higher_is_better else found.low
    if worst is None or overall is None or not entry["enough"]:
        entry["below"] = False
    else:
        entry["below"] = bool(worst < overall if higher_is_better else worst > overall)
    if "label" in rows.columns and len(rows):
        entry["observed"] = _short(float(rows["label"].to_numpy().mean()))
        entry["predicted"] = _short(float(rows["probability"].to_numpy().mean()))
    return entry


def _enough(rows: pl.DataFrame, count: int) -> bool:
    if "label" not in rows.columns:
        return count >= SMALLEST
    positive = int(rows["label"].sum())
    return count >= SMALLEST and RAREST <= positive <= count - RAREST


def _place(entry: dict[str, Any], higher_is_better: bool) -> tuple[bool, float, str]:
    value = entry["value"] if entry["value"] is not None else 0.0
    return not entry["enough"], value if higher_is_better else -value, json.dumps(entry, sort_keys=True)


def _short(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
