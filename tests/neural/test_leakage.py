"""Nothing at or after a cut-off may influence a feature, an input or an answer: not by one bit."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from neural.baselines.ranking import RANKERS
from neural.data.batches import make_batch
from neural.data.world import World, training_world
from neural.tasks import TASKS
from neural.windows import to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset

CUTOFF = 300.0  # days after the start
AT = to_days(START) + CUTOFF


def tampered(rows: list[Row]) -> list[Row]:
    """Double, re-date, re-assign and remove events from the cut-off on, and invent new ones."""
    moment = START + timedelta(days=CUTOFF)
    kept = [row for row in rows if row["at"] < moment]
    later = [row for row in rows if row["at"] >= moment]
    changed = [
        {**row, "quantity": 99.0, "amount": 1e6, "product": "p00", "kind": "purchase"} for row in later[::3]
    ]
    invented = [event(f"c{number:04d}", CUTOFF, "new", basket=f"c{number:04d}-b") for number in range(60)]
    # lines added to a basket that was begun just before the cut-off
    straddling = [{**row, "at": moment, "product": "new"} for row in kept[-40:]]
    return [*kept, *changed, *invented, *straddling]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    end = START + timedelta(days=CUTOFF)
    early = [event(f"c{n:04d}", CUTOFF - 0.001, "p11", basket=f"straddle{n}") for n in range(10)]
    return [*(row for row in shop_rows() if row["at"] != end), *early]


def worlds(tmp_path: Path, rows: list[Row], config: TrainingConfig) -> tuple[World, World]:
    honest = write_dataset(tmp_path / "honest", rows)
    forged = write_dataset(tmp_path / "forged", tampered(rows))
    cuts = (AT, AT + 60)
    return tuple(training_world(config, found, train_end=AT, cuts=cuts) for found in (honest, forged))  # type: ignore[return-value]


def arrays(value: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.asarray(item) for name, item in value.items()}


@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
def test_changing_events_after_the_cutoff_changes_no_feature_bit(
    base: dict[str, Any], tmp_path: Path, rows: list[Row], configure: Callable[..., TrainingConfig]
) -> None:
    honest, forged = worlds(tmp_path, rows, configure(base))
    assert (
        honest.vocabulary.products[: honest.vocabulary.known]
        == forged.vocabulary.products[: forged.vocabulary.known]
    )
    first, second = honest.active(AT), forged.active(AT)
    names = [honest.history.customers[number] for number in first.customer]
    assert names == [forged.history.customers[number] for number in second.customer]
    assert len(names) > 100

    one, two = make_batch(honest, first), make_batch(forged, second)
    for item in fields(one):
        assert torch.equal(getattr(one, item.name), getattr(two, item.name)), item.name
    task = TASKS[base["task"]]
    learnt = {"mean": [0.0] * 200, "spread": [1.0] * 200}
    width = honest.vocabulary.known
    if base is CHURN:
        columns = task(honest).table.columns(first).shape[1]  # type: ignore[attr-defined]
        learnt = {"mean": [0.0] * columns, "spread": [1.0] * columns}
    left, right = (
        arrays(task(world, learnt).inputs(found)) for world, found in ((honest, first), (forged, second))
    )
    for name in left:
        wide = name == "trends"  # of all products, those sold later included
        mine, other = (found[:, :width] if wide else found for found in (left[name], right[name]))
        assert np.array_equal(mine, other), name


@pytest.mark.parametrize("name", sorted(RANKERS))
def test_a_baseline_sees_nothing_later_either(
    name: str, tmp_path: Path, rows: list[Row], configure: Callable[..., TrainingConfig]
) -> None:
    honest, forged = worlds(tmp_path, rows, configure(NEXT_PRODUCT))
    known = honest.vocabulary.known
    left, right = (RANKERS[name](world, AT)(world.active(AT))[:, :known] for world in (honest, forged))
    assert np.array_equal(left, right)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_query_in_the_middle_of_a_history_sees_what_it_saw_then(
    task: str, shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    """Training asks about moments inside one long history; that must equal a history read up to there."""
    config = configure(NEXT_PRODUCT if task == "next_product" else CHURN, max_visits=100)
    whole = training_world(config, shop, train_end=AT, cuts=(AT, AT + 90))
    short = training_world(config, shop, train_end=AT, cuts=(AT,))
    for world in (whole, short):
        assert world.history.customers[0] == "c0000"
    first, second = whole.active(AT), short.active(AT)
    one, two = make_batch(whole, first), make_batch(short, second)
    for item in fields(one):
        assert torch.equal(getattr(one, item.name), getattr(two, item.name)), item.name


def test_targets_never_reach_beyond_the_end_of_training(
    shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    config = configure(NEXT_PRODUCT)
    whole = training_world(config, shop, train_end=AT, cuts=(AT, AT + 60))
    short = training_world(config, shop, train_end=AT, cuts=(AT,))
    for world in (whole, short):
        queries = world.active(AT - 10)
        task = TASKS["next_product"](world)
        pairs = task.targets(queries, AT)
        names = [
            (world.history.customers[queries.customer[q]], world.vocabulary.products[p])
            for q, p in zip(pairs["query"].tolist(), pairs["product"].tolist(), strict=True)
        ]
        assert len(names) > 50
        if world is whole:
            expected = names
    assert names == expected


def test_a_purchase_at_the_cutoff_itself_lies_after_it(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    """Around 2014-11-10 (day 16384) a time less 28 days need not be the same float as the time then."""
    first, month = datetime(2014, 11, 20, tzinfo=UTC), timedelta(days=28)
    moments = (first + timedelta(milliseconds=7919 * number) for number in range(200))
    moment = next(found for found in moments if to_days(found) - 28 > to_days(found - month))
    rows = [
        {**event("c1", 0, "a"), "at": moment - month},
        {**event("c2", 0, "a"), "at": moment - timedelta(days=29)},
        {**event("c1", 0, "b"), "at": moment},
    ]
    dataset = write_dataset(tmp_path / "data", rows)
    cutoff = to_days(moment) - 28
    world = training_world(configure(CHURN), dataset, train_end=cutoff, cuts=(cutoff, cutoff + 28))
    for found in (world.active(cutoff), world.with_history(cutoff)):
        assert [world.history.customers[customer] for customer in found.customer] == ["c2"]
