"""The churn warner's answers: a probability, the one of a month ago, and the facts behind them."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from handoff.scores import SCORES
from neural.data.history import Floats
from neural.data.table import Table
from neural.data.world import Queries, World

Reason = dict[str, Any]
Ranked = tuple[float, Reason]  # (strength, reason)

MOST_REASONS = 4
MONTH = 30.0
DAYS = 90


def warn(
    world: World,
    table: Table,
    probabilities: Callable[[Queries], Floats],
    as_of: float,
    customers: list[str],
) -> pl.DataFrame:
    """Score file of `customers`; without a purchase within `active_days`, what is missing instead."""
    wanted = set(customers)
    active = world.active(as_of)
    mine = [
        index for index, number in enumerate(active.customer) if world.history.customers[number] in wanted
    ]
    queries = active.take(np.asarray(mine, np.int64))
    chance = probabilities(queries)
    before = _month_before(world, probabilities, as_of)
    facts = Facts(world, table, queries)
    rows: dict[str, tuple[float, str]] = {}
    for row, number in enumerate(queries.customer):
        score = round(float(chance[row]), 4)
        payload = {"reasons": facts.reasons(row, score), "before": before.get(int(number))}
        rows[world.history.customers[number]] = (score, json.dumps(payload))
    inactive = {"code": "inactive", "days": world.config.active_days}
    absent = (None, json.dumps({"missing": [inactive]}))
    records = [(name, *rows.get(name, absent)) for name in sorted(wanted)]
    return pl.DataFrame(records, schema=SCORES, orient="row")


def _month_before(world: World, probabilities: Callable[[Queries], Floats], as_of: float) -> dict[int, float]:
    """The same model's answer from what was known 30 days earlier, by customer number, if active then."""
    queries = world.active(as_of - MONTH)
    chance = probabilities(queries)
    return {
        int(number): round(float(value), 4) for number, value in zip(queries.customer, chance, strict=True)
    }


class Facts:
    """What can be said about each query's customer, counted once for all of them."""

    def __init__(self, world: World, table: Table, queries: Queries) -> None:
        count = table.counter
        self.since = count.days_since(queries)
        self.total = count.total(queries)
        self.gap, _ = count.gap(queries)
        self.orders = count.orders(queries, DAYS), count.orders(queries, 2 * DAYS, DAYS)
        self.spend = count.spend(queries, DAYS), count.spend(queries, 2 * DAYS, DAYS)
        self.year = count.orders(queries, 365)
        zero = np.zeros(len(queries))
        kinds = table.kinds
        self.returns = kinds["return"].count(queries, DAYS) if "return" in kinds else zero
        self.complaints = kinds["complaint"].count(queries, DAYS) if "complaint" in kinds else zero

    def reasons(self, row: int, score: float) -> list[Reason]:
        """At most four, those that point the way of the score first, then the stronger."""
        found = [*self._rhythm(row), *self._volume(row), *self._trouble(row)]
        way = "up" if score >= 0.5 else "down"
        found.sort(key=lambda item: (item[1]["direction"] != way, -item[0], item[1]["code"]))
        return [reason for _, reason in found[:MOST_REASONS]]

    def _rhythm(self, row: int) -> list[Ranked]:
        since, gap, total = float(self.since[row]), float(self.gap[row]), int(self.total[row])
        days = int(since)
        if total == 1:
            found = [(1.5, _up("single_purchase", days_since=days))]
        elif gap >= 1 and since > 1.5 * gap:
            found = [(since / gap, _up("overdue", usual_gap_days=round(gap, 1), days_since=days))]
        else:
            found = []
        if since > 180:
            found.append((since / 90, _up("long_silence", days_since=days)))
        elif since <= 30:
            found.append((2.0 - since / 30, _down("recent_purchase", days_since=days)))
        orders = int(self.year[row])
        if orders >= 6:
            found.append((orders / 4, _down("regular", orders=orders, days=365)))
        return found

    def _volume(self, row: int) -> list[Ranked]:
        found: list[Ranked] = []
        for name, (recent, before), least in (("orders", self.orders, 2), ("spend", self.spend, 1)):
            new, old = _number(recent[row]), _number(before[row])
            if max(new, old) < least:
                continue
            if new < 0.6 * old:
                found.append((1 + (old - new) / old, _up(f"{name}_down", recent=new, before=old, days=DAYS)))
            elif new > 1.6 * old and old > 0:
                found.append((min(new / old, 3.0), _down(f"{name}_up", recent=new, before=old, days=DAYS)))
        return found

    def _trouble(self, row: int) -> list[Ranked]:
        found: list[Ranked] = []
        if self.complaints[row]:
            found.append((3.0, _up("complaints", count=int(self.complaints[row]), days=DAYS)))
        if self.returns[row]:
            found.append((1.2, _up("returns", count=int(self.returns[row]), days=DAYS)))
        return found


def _number(value: Any) -> float | int:
    return int(value) if float(value).is_integer() else round(float(value), 2)


def _up(code: str, **facts: Any) -> Reason:
    return {"code": code, "direction": "up", **facts}


def _down(code: str, **facts: Any) -> Reason:
    return {"code": code, "direction": "down", **facts}
