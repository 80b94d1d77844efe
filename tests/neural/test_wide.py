"""A catalogue over the limit is answered from vectors: lists, chances and tables are those of all logits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from handoff.config import TrainingConfig
from neural.data.batches import make_batch
from neural.data.world import Queries, World, training_world
from neural.heads import NextProductHead
from neural.model import Model, shape_of
from neural.tasks import next_product
from neural.tasks.next_product import NextProduct
from neural.windows import Windows, to_days
from tests.neural.shop import NEXT_PRODUCT, SMALL, START, event, shop_rows, write_dataset

END = to_days(START) + 400
CALIBRATION = {
    "slope": 0.8,
    "offset": -0.2,
    "facts": {"mean": [1.0] * 3, "spread": [1.0] * 3, "weight": [0.1] * 3},
}
NEW, GONE = "n1", "p00"  # not sold before END; no longer on sale
REFUSED = {"c0001": {3, 4}, "c0004": {7}}


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    rows = [
        *shop_rows(60),
        event("c0001", 405.5, NEW, kind="return"),
        event("c0002", 406.5, "n2", kind="return"),
    ]
    codes = sorted({row["product"] for row in rows if row["product"]})
    names = {NEW: "thing p11", "n2": "thing p21"}
    columns = {
        "name": pl.Series([names.get(code, f"thing {code}") for code in codes]),
        "available": pl.Series([code != GONE for code in codes]),
    }
    dataset = write_dataset(tmp_path / "data", rows, **columns)
    config = configure({**SMALL, **NEXT_PRODUCT}, dataset=str(dataset.folder), top_k=6)
    return training_world(config, dataset, train_end=END, cuts=(END, END + 28))


def made(world: World) -> tuple[NextProduct, Model]:
    """A model whose weights are noise, so that everything in it says something."""
    task, shape = NextProduct(world), shape_of(world, calendar=True)
    torch.manual_seed(0)
    model = Model(shape, task.head(shape), world.vocabulary)
    with torch.no_grad():
        for weight in model.head.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return task, model


def test_the_factors_are_the_logits_on_any_days(world: World) -> None:
    task, model = made(world)
    head = model.head
    assert isinstance(head, NextProductHead)
    model.eval()
    customer = np.repeat(np.arange(20), 3)
    queries = Queries(customer, END - np.tile([60.0, 30.0, 0.0], 20))
    batch, inputs = make_batch(world, queries), task.inputs(queries)
    assert len(inputs["trends"]) == 3
    with torch.inference_mode():
        products = model.encoder.products(model.row, model.category, model.price, model.text)
        state = model.encoder.at_queries(batch, products)
        found = head.factors(state, batch, products, model.row, inputs).dense()
        torch.testing.assert_close(found, model(batch, inputs), rtol=1e-4, atol=1e-4)
    assert float(found.std(dim=1).min()) > 0.1


def wide_and_dense(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Any]) -> list[Any]:
    """What `ask` answers from all logits, and then from vectors alone."""
    found = [ask()]
    monkeypatch.setattr(next_product, "FULL", 0)
    monkeypatch.setattr(NextProduct, "_model_scores", None)  # whoever holds rows of the catalogue fails
    return [*found, ask()]


def test_scores_reasons_and_callers_are_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model = made(world)
    monkeypatch.setattr(NextProduct, "_refused", lambda _self, _as_of: REFUSED)
    everyone = [*world.history.customers, "c9998"]

    def ask() -> Any:
        return task.score_with_sides(model, CALIBRATION, END, everyone, shard=1, shards=2)

    assert len(task._lenders(END).unsold) == 2
    (plain, sides), (wide, wide_sides) = wide_and_dense(monkeypatch, ask)
    assert plain.select("customer").equals(wide.select("customer"))
    for name, one, other in zip(plain["customer"], plain["payload"], wide["payload"], strict=True):
        mine, theirs = json.loads(one), json.loads(other)
        assert mine["source"] == theirs["source"]
        assert [item["product"] for item in mine["items"]] == [item["product"] for item in theirs["items"]]
        assert [item["reasons"] for item in mine["items"]] == [item["reasons"] for item in theirs["items"]]
        shown = [[item["score"] for item in answer["items"]] for answer in (mine, theirs)]
        assert shown[0] == pytest.approx(shown[1], abs=2e-4)
        products = {item["product"] for item in theirs["items"]}
        assert GONE not in products
        assert not products & {world.vocabulary.products[number] for number in REFUSED.get(name, ())}
    key = ["key", "customer"]
    assert NEW in set(sides["audience"]["key"])  # never bought: what it resembles speaks for it
    one, other = sides["audience"].sort(key), wide_sides["audience"].sort(key)
    assert one.select(*key, "times", "days_since").equals(other.select(*key, "times", "days_since"))
    assert one["chance"].to_numpy() == pytest.approx(other["chance"].to_numpy(), rel=2e-3)


def test_figures_calibration_and_strengths_are_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, model = made(world)
    windows = Windows(END - 28, END - 28, END, 28.0)

    def ask() -> Any:
        validation = Windows(END - 28, END, END + 28, 28.0)
        return (
            task.validate(model, validation),
            task.report(model, CALIBRATION, windows, END - 28).model,
            task.calibrate(model, validation),
            task.strengths(model, CALIBRATION, world.with_history(END)).tolist(),
        )

    plain, wide = wide_and_dense(monkeypatch, ask)
    for one, other in zip(plain[:2], wide[:2], strict=True):
        assert one
        assert other == pytest.approx(one)
    assert wide[2]["slope"] == pytest.approx(plain[2]["slope"], rel=1e-2)
    assert wide[2]["facts"]["weight"] == pytest.approx(plain[2]["facts"]["weight"], abs=1e-2)
    assert wide[3] == pytest.approx(plain[3], abs=1e-4)


def test_callers_are_among_those_who_have_the_product_in_their_best(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, model = made(world)
    monkeypatch.setattr(next_product, "FULL", 0)
    monkeypatch.setattr(next_product, "CALLED", 2)
    names = world.history.customers
    frame, sides = task.score_with_sides(model, CALIBRATION, END, names, shard=1, shards=2)
    best = {
        (item["product"], name)
        for name, payload in frame.select("customer", "payload").iter_rows()
        for item in json.loads(payload)["items"]
    }
    assert (
        set(sides["audience"].select("key", "customer").iter_rows()) == best
    )  # six are listed: more than two
