"""One pass over the events, a shard at a time: a customer's lines, and so repeated ones, share a shard."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import EVENTS, Dataset
from handoff.inspection import Finding, Kind, Nulls
from neural.inspection.outliers import Spread
from neural.windows import Windows, parse_time, to_days

VALUES = ("quantity", "amount")
OF_OUTCOMES = ("product", *VALUES)  # whose nulls count among the events of the outcome only
UNREAD = ("channel", "text")  # no event encoder reads them, and few events have them
MOSTLY = 0.5
MANY_DUPLICATES = 0.01


@dataclass
class Seen:
    """Sums over the shards."""

    rows: int = 0
    outcomes: int = 0
    nulls: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, tuple[int, datetime, datetime]] = field(default_factory=dict)  # rows, first, last
    duplicates: int = 0
    weeks: dict[date, int] = field(default_factory=dict)  # outcome events by the week's Monday
    repeated: dict[date, int] = field(default_factory=dict)  # of these, repetitions of another line
    spread: dict[str, Spread] = field(default_factory=lambda: {name: Spread() for name in VALUES})
    not_finite: dict[str, int] = field(default_factory=dict)
    negative: dict[str, int] = field(default_factory=dict)  # among outcome events
    future: int = 0
    products: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)


def read(dataset: Dataset, config: TrainingConfig) -> Seen:
    """Read every shard once; memory is bounded by the largest shard."""
    seen, watermark = Seen(), parse_time(dataset.manifest.watermark)
    for shard in range(dataset.manifest.shards):
        frame = dataset.events(shard).collect()
        outcome = frame.filter(pl.col("kind").is_in(list(config.outcome_kinds)))
        seen.rows, seen.outcomes = seen.rows + len(frame), seen.outcomes + len(outcome)
        for name in EVENTS.names():
            part = outcome if name in OF_OUTCOMES else frame
            seen.nulls[name] = seen.nulls.get(name, 0) + part[name].null_count()
        seen.future += frame.filter(pl.col("at") > watermark).height
        seen.products.update(frame["product"].drop_nulls().unique())
        seen.customers.update(frame["customer"].unique())
        _add_kinds(seen, frame)
        _add_weeks(seen, frame, outcome, config.outcome_kinds)
        _add_values(seen, frame, outcome)
    return seen


def _add_kinds(seen: Seen, frame: pl.DataFrame) -> None:
    grouped = frame.group_by("kind").agg(
        pl.len(), pl.col("at").min().alias("f"), pl.col("at").max().alias("l")
    )
    for kind, rows, first, last in grouped.iter_rows():
        before = seen.kinds.get(kind or "", (0, first, last))
        seen.kinds[kind or ""] = (before[0] + rows, min(before[1], first), max(before[2], last))


def _add_weeks(seen: Seen, frame: pl.DataFrame, outcome: pl.DataFrame, kinds: tuple[str, ...]) -> None:
    week = pl.col("at").dt.truncate("1w").dt.date().alias("week")
    for monday, rows in outcome.group_by(week).agg(pl.len()).iter_rows():
        seen.weeks[monday] = seen.weeks.get(monday, 0) + rows
    extra = (pl.len() - 1).alias("extra")
    again = frame.group_by(EVENTS.names()).agg(extra).filter(pl.col("extra") > 0)
    seen.duplicates += int(again["extra"].sum())
    again = again.filter(pl.col("kind").is_in(list(kinds)))
    for monday, rows in again.group_by(week).agg(pl.col("extra").sum()).iter_rows():
        seen.repeated[monday] = seen.repeated.get(monday, 0) + rows


def _add_values(seen: Seen, frame: pl.DataFrame, outcome: pl.DataFrame) -> None:
    for name in VALUES:
        values = frame[name].drop_nulls()
        finite = values.filter(values.is_finite())
        seen.not_finite[name] = seen.not_finite.get(name, 0) + len(values) - len(finite)
        seen.negative[name] = seen.negative.get(name, 0) + int((outcome[name] < 0).sum() or 0)
        seen.spread[name].add(finite.to_numpy())


def kinds(seen: Seen, config: TrainingConfig, windows: Windows | None) -> tuple[Kind, ...]:
    """Describe every kind, the most frequent first."""
    return tuple(
        Kind(
            kind,
            rows,
            first.isoformat(),
            last.isoformat(),
            kind in config.outcome_kinds,
            windows is not None and to_days(first) < windows.validation,
        )
        for kind, (rows, first, last) in sorted(seen.kinds.items(), key=lambda item: (-item[1][0], item[0]))
    )


def nulls(seen: Seen, config: TrainingConfig) -> tuple[Nulls, ...]:
    return tuple(
        Nulls(
            f"events.{name}",
            seen.outcomes if name in OF_OUTCOMES else seen.rows,
            seen.nulls.get(name, 0),
            name in config.excluded,
        )
        for name in EVENTS.names()
    )


def findings(seen: Seen, config: TrainingConfig, windows: Windows | None) -> list[Finding]:
    found = [
        *_kind_findings(seen, config, windows),
        *_null_findings(seen, config),
        *_value_findings(seen),
    ]
    if seen.duplicates:
        share = seen.duplicates / seen.rows
        facts: dict[str, Any] = {"count": seen.duplicates, "rows": seen.rows, "share": share}
        found.append(Finding("duplicates", "warn" if share >= MANY_DUPLICATES else "info", facts=facts))
    if seen.future:
        last = max(last for _, _, last in seen.kinds.values()).isoformat()
        found.append(Finding("future_events", "warn", "events.at", {"count": seen.future, "last": last}))
    return found


def _kind_findings(seen: Seen, config: TrainingConfig, windows: Windows | None) -> list[Finding]:
    found = [
        Finding("no_outcome_kind", "stop", f"kinds.{kind}", {"kind": kind})
        for kind in config.outcome_kinds
        if seen.rows and kind not in seen.kinds
    ]
    for kind in kinds(seen, config, windows):
        if windows is not None and not kind.seen:
            facts = {"rows": kind.rows, "first": kind.first}
            found.append(Finding("unseen_kind", "info", f"kinds.{kind.kind}", facts))
    return found


def _null_findings(seen: Seen, config: TrainingConfig) -> list[Finding]:
    found = []
    for one in nulls(seen, config):
        name = one.field.removeprefix("events.")
        no_baskets = name == "basket" and one.share == 1  # then visits are told apart by their moment
        if one.excluded or one.share < MOSTLY or name in UNREAD or no_baskets:
            continue
        facts = {"nulls": one.nulls, "rows": one.rows, "share": one.share}
        found.append(Finding("mostly_null", "warn" if name in OF_OUTCOMES else "info", one.field, facts))
    return found


def _value_findings(seen: Seen) -> list[Finding]:
    found = []
    for name in VALUES:
        if count := seen.not_finite.get(name, 0):
            found.append(Finding("not_finite", "warn", f"events.{name}", {"count": count, "rows": seen.rows}))
        if count := seen.negative.get(name, 0):
            facts = {"count": count, "rows": seen.outcomes, "share": count / seen.outcomes}
            found.append(Finding("negative_outcome", "info", f"events.{name}", facts))
    return found
