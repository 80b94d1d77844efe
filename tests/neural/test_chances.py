"""The score of a recommendation is the chance that this product is bought within the horizon."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from neural.scoring import score
from neural.training import train
from tests.neural.shop import NEXT_PRODUCT, SHARDS, START, Row, event, write_dataset

AS_OF = 400.0  # days after the start
MOMENT = START + timedelta(days=AS_OF)
BUSY, SLOW, GONE = range(3)


def rows() -> list[Row]:
    """Customers who come every week, every ten weeks, or no more since long ago; all like p0 and p1."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(240):
        cycle, stops = ((7.0, 999.0), (70.0, 999.0), (7.0, 150.0))[number % 3]
        day = rng.uniform(0, cycle)
        while day < min(AS_OF + 28, stops):
            product = f"p{rng.integers(2) if rng.random() < 0.8 else rng.integers(10)}"
            found.append(event(f"c{number:04d}", round(day, 3), product))
            day += cycle * rng.uniform(0.8, 1.2)
    return found


def recommendations(
    folder: Path, configure: Callable[..., TrainingConfig]
) -> dict[str, list[dict[str, Any]]]:
    """Five products for everyone, by a model that knows nothing later than AS_OF."""
    known = write_dataset(folder / "data", [row for row in rows() if row["at"] <= MOMENT])
    run = folder / "run"
    configure(NEXT_PRODUCT, dataset=str(known.folder), epochs=6, learning_rate=0.01, top_k=5).write(run)
    assert train(run).status == "succeeded"
    found = {}
    for shard in range(SHARDS):
        out = folder / f"{shard}.parquet"
        score(run / "artifact", known.folder, root=run, shard=shard, as_of=MOMENT.isoformat(), out=out)
        for customer, _, payload in pl.read_parquet(out).iter_rows():
            found[customer] = json.loads(payload)["items"]
    return found


def test_a_score_is_a_chance_for_the_busy_the_slow_and_the_gone_alike(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    bought = {(row["customer"], row["product"]) for row in rows() if row["at"] > MOMENT}
    found = recommendations(tmp_path, configure)
    means = []
    for group in (BUSY, SLOW, GONE):
        mine = [
            (item["score"], (name, item["product"]) in bought)
            for name, items in found.items()
            if int(name[1:]) % 3 == group
            for item in items
        ]
        expected, observed = np.mean(mine, axis=0)
        assert expected == pytest.approx(observed, rel=0.35, abs=0.03), group
        means.append(float(expected))
    assert means[BUSY] > 2 * means[SLOW] > 4 * means[GONE]
