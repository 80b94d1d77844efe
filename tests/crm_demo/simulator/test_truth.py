"""The ground truth agrees with what happened: who left is silent, staples come back on time."""

from datetime import timedelta

import numpy as np
import polars as pl

from crm_demo.simulator import Shop, ShopSpec
from crm_demo.simulator.catalogue import CATEGORY_NAMES


def purchases(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("kind") == "purchase")


def test_every_customer_has_one_row(people: pl.DataFrame, truth: pl.DataFrame) -> None:
    assert truth["customer"].to_list() == people["code"].to_list()
    assert set(truth["phase"]) <= {"loyal", "slowing", "left", "not_yet"}
    assert np.allclose([sum(row) for row in truth["category_odds"]], 1.0)


def test_who_has_left_buys_nothing_afterwards(truth: pl.DataFrame, events: pl.DataFrame) -> None:
    left = truth.filter(pl.col("phase") == "left")
    later = purchases(events).join(left, on="customer").filter(pl.col("at") > pl.col("left_at"))
    assert left.height > 50
    assert later.height == 0
    assert left["purchases_next_90"].sum() == 0


def test_most_leavers_slow_down_first(spec: ShopSpec, truth: pl.DataFrame, events: pl.DataFrame) -> None:
    slow = truth.filter(pl.col("slowing_from").is_not_null() & (pl.col("phase") == "left"))
    leavers = truth.filter(pl.col("phase") == "left")
    assert 0.6 < slow.height / leavers.height < 0.9
    lasted = (slow["left_at"] - slow["slowing_from"]).dt.total_days()
    assert lasted.min() >= 45  # type: ignore[operator]
    assert lasted.max() <= 120  # type: ignore[operator]
    bought = purchases(events).join(slow, on="customer")
    half = (pl.col("left_at") - pl.col("slowing_from")) / 2
    before = bought.filter(pl.col("at").is_between(pl.col("slowing_from") - half, "slowing_from"))
    at_last = bought.filter(pl.col("at").is_between(pl.col("left_at") - half, "left_at"))
    assert 0 < at_last.height < 0.6 * before.height


def test_the_hazard_orders_who_leaves(spec: ShopSpec) -> None:
    shop = Shop(ShopSpec(customers=3000, seed=3, until=spec.until, days=400))
    truth = pl.concat(chunk.truth for chunk in shop.chunks()).filter(pl.col("phase") != "not_yet")
    gone = truth["left_at"].is_not_null() & (truth["left_at"] <= spec.until + timedelta(days=90))
    risky = truth["hazard"] > truth["hazard"].median()
    assert gone.filter(risky).mean() > 1.5 * gone.filter(~risky).mean()  # type: ignore[operator]


def test_the_outcome_is_what_the_next_ninety_days_bring(truth: pl.DataFrame) -> None:
    silent = truth.group_by("phase").agg((pl.col("purchases_next_90") == 0).mean().alias("silent"))
    share = dict(silent.iter_rows())
    assert share["left"] == 1.0
    assert share["loyal"] < 0.2 < share["slowing"]


def test_staples_are_bought_about_once_a_cycle(truth: pl.DataFrame, events: pl.DataFrame) -> None:
    staples = (
        truth.filter(pl.col("phase") == "loyal")
        .select("customer", "staples", "staple_cycles")
        .explode("staples", "staple_cycles")
        .drop_nulls()
        .rename({"staples": "product"})
    )
    gaps = (
        purchases(events)
        .sort("customer", "product", "at")
        .with_columns(gap=pl.col("at").diff().over("customer", "product").dt.total_days())
        .join(staples, on=["customer", "product"])
        .group_by("customer", "product")
        .agg(pl.col("gap").median(), pl.col("staple_cycles").first(), pl.len())
        .filter(pl.col("len") >= 5)
    )
    ratio = gaps["gap"] / gaps["staple_cycles"]
    assert gaps.height > 100
    assert 0.9 < ratio.median() < 1.4  # type: ignore[operator]


def test_tastes_show_in_free_choices(truth: pl.DataFrame, events: pl.DataFrame, shop: Shop) -> None:
    products = shop.products().with_row_index("number").select("code", "category")
    durable = ["Mugs and cups", "Cookware", "Kitchen knives", "Pet toys", "Pet beds", "Office chairs", "Bags"]
    bought = purchases(events).join(products, left_on="product", right_on="code")
    bought = bought.filter(pl.col("category").is_in(durable)).join(truth, on="customer")
    place = {name: number for number, name in enumerate(CATEGORY_NAMES)}
    own = np.mean(
        [odds[place[name]] for odds, name in bought.select("category_odds", "category").iter_rows()]
    )
    anybody = truth["category_odds"].to_numpy()
    mean = np.mean([np.mean([row[place[name]] for row in anybody]) for name in durable])
    assert own > 2 * mean
