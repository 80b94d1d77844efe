"""Every fact of every reason of scored customers, counted again from the raw events."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.scores import SCORES
from neural.reasons.checking import check_reasons
from neural.scoring import score
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, SMALL, START, Row, event, shop_rows, write_dataset

AS_OF = START + timedelta(days=410)
HOARDER = "c9000"  # owns more products than are looked at when searching for what goes together
Payload = dict[str, Any]


def raw() -> list[Row]:
    """The shop, and customers of whom each reason can be told."""
    rng = np.random.default_rng(11)
    rows = shop_rows(90)
    for number in range(12):  # half a basket of one category, some of it twice
        name = f"c8{number:03d}"
        for day in (*range(int(rng.integers(3, 9)), 300, 30), 330, 380 + number):
            for product in ("p00", "p01", "p02", "p00", "p11"):
                rows.append(event(name, day + 0.25, product, basket=f"{name}-{day}", amount=day / 10))
    for number in range(12):  # once, returned and complained about
        name = f"c7{number:03d}"
        rows.append(event(name, 350 + number / 2, f"p2{number % 10}", amount=30.0))
        rows.append(event(name, 360 + number / 2, f"p2{number % 10}", kind="return", amount=30.0))
        rows += [event(name, 362 + day, None, kind="complaint", amount=0.0) for day in range(number % 3)]
    rows.append(event("c8000", 100.5, "p00", kind="return"))  # a kind unknown in training tells nothing
    rows += [event("c6000", day, "p01", amount=20.0 + day) for day in (5.5, 90.5, 170.5)]  # long silent
    rows += [event("c6001", day, "p02", amount=5.0) for day in (10.5, 40.5, 45.5)]
    for number in range(6):  # more, and dearer, of late
        days = (250.5, 260.5, 330.5 + number, 340.5, 350.5, 370.5, 390.5, 400.5)
        rows += [event(f"c5{number:03d}", day, "p12", amount=day, basket=f"{number}{day}") for day in days]
    rows += [event(HOARDER, 20 + n / 2, f"h{n:03d}", basket=f"h{n // 4}") for n in range(260)]
    rows += [event(HOARDER, 3.5, f"p0{n}", basket="early") for n in range(10)]
    rows += [event(f"c5{n:03d}", 405.5 + n / 9, "p00", basket="late") for n in range(6)]
    return [*rows, event("c0001", 419, "p00", basket="after")]


@pytest.fixture(scope="module")
def known() -> list[Row]:
    return [row for row in raw() if row["at"] <= AS_OF]


def answers(folder: Path, base: dict[str, Any]) -> dict[str, Payload]:
    dataset = write_dataset(folder / "data", raw())
    run = folder / "run"
    TrainingConfig.from_mapping({"dataset": str(dataset.folder), **SMALL, **base, "top_k": 12}).write(run)
    assert train(run).status == "succeeded"
    found = {}
    for shard in range(SHARDS):
        out = folder / f"{shard}.parquet"
        score(run / "artifact", dataset.folder, root=run, shard=shard, as_of=AS_OF.isoformat(), out=out)
        for customer, _, payload in pl.read_parquet(out).iter_rows():
            found[customer] = json.loads(payload)
    return found


def visits(rows: list[Row], customer: str, kind: str = "purchase") -> list[tuple[datetime, list[Row]]]:
    """What one customer did under one basket on one day, else at one moment; by time."""
    grouped: dict[Any, list[Row]] = {}
    for row in rows:
        if row["customer"] == customer and row["kind"] == kind:
            grouped.setdefault((row["at"].date(), row["basket"] or row["at"]), []).append(row)
    found = [(max(row["at"] for row in lines), lines) for lines in grouped.values()]
    return sorted(found, key=lambda visit: visit[0])


def within(found: list[tuple[datetime, list[Row]]], start: int, stop: int = 0) -> Iterator[list[Row]]:
    """The visits from `start` to `stop` days before AS_OF."""
    for at, lines in found:
        if AS_OF - timedelta(days=start) < at <= AS_OF - timedelta(days=stop):
            yield lines


def days_ago(at: datetime) -> int:
    return (AS_OF - at).days


def churn_facts(rows: list[Row], customer: str, reason: Payload) -> Payload:
    mine = visits(rows, customer)
    since = {"days_since": days_ago(mine[-1][0])}
    quarter = {"days": 90}
    match reason["code"]:
        case "overdue":
            gap = (mine[-1][0] - mine[0][0]) / timedelta(days=1) / (len(mine) - 1)
            return {**since, "usual_gap_days": pytest.approx(gap, abs=0.06)}
        case "single_purchase" | "recent_purchase" | "long_silence":
            assert reason["code"] != "single_purchase" or len(mine) == 1
            return since
        case "regular":
            return {"orders": len(list(within(mine, 365))), "days": 365}
        case "orders_down" | "orders_up":
            recent, before = (len(list(within(mine, *span))) for span in ((90, 0), (180, 90)))
            return {**quarter, "recent": recent, "before": before}
        case "spend_down" | "spend_up":
            spent = (
                sum(row["amount"] for lines in within(mine, *span) for row in lines)
                for span in ((90, 0), (180, 90))
            )
            names = ("recent", "before")
            return {**quarter, **{n: pytest.approx(s, abs=0.006) for n, s in zip(names, spent, strict=True)}}
        case kind:
            singular = {"returns": "return", "complaints": "complaint"}[kind]
            return {**quarter, "count": len(list(within(visits(rows, customer, singular), 90)))}


def test_recommendations_say_nothing_untrue(tmp_path: Path) -> None:
    found = answers(tmp_path, NEXT_PRODUCT)
    rows = [(name, None, json.dumps(payload)) for name, payload in found.items()]
    scores = pl.DataFrame(rows, schema=SCORES, orient="row")
    checked = check_reasons(Dataset.open(tmp_path / "data"), scores, AS_OF.isoformat(), ("purchase",))
    assert checked.untrue == []
    assert {"repeat", "due", "bought_with", "category", "popular"} <= set(checked.told)
    assert min(checked.told.values()) > 5


def test_churn_warnings_say_nothing_untrue(tmp_path: Path, known: list[Row]) -> None:
    told: Counter[str] = Counter()
    for customer, payload in answers(tmp_path, CHURN).items():
        for reason in payload.get("reasons", []):
            told[reason["code"]] += 1
            expected = churn_facts(known, customer, reason)
            assert reason == {**reason, **expected}, customer
            assert set(reason) == {"code", "direction", *expected}
    volume = {f"{name}_{way}" for name in ("orders", "spend") for way in ("up", "down")}
    rhythm = {"overdue", "single_purchase", "recent_purchase", "long_silence", "regular"}
    assert set(told) == volume | rhythm | {"returns", "complaints"}
