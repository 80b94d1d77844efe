"""Customers without a history: what those alike buy, where attributes tell anything; never nothing unsaid."""

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.building import build_dataset
from handoff.config import TrainingConfig
from handoff.dataset import EVENTS, Dataset
from handoff.scores import SCORES
from neural.data.traits import read_traits
from neural.data.world import World, training_world
from neural.reasons.checking import check_reasons
from neural.reasons.market import Market
from neural.reasons.recommendations import newcomers
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, Row, event

DAYS = 420
TASTES = ("north", "south", "west")


def shop(until: int = DAYS, seed: int = 3) -> list[Row]:
    """Customers of a region buy that region's products, and some of everyone's; 150 of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(150):
        name, taste = f"c{number:04d}", number % 3
        began = int(rng.integers(until - 60, until - 5) if number % 2 else rng.integers(20, until - 60))
        for order, day in enumerate(range(began, until, 25)):
            for _ in range(3):
                own = rng.random() < 0.65
                product = f"p{taste}{rng.integers(6)}" if own else f"e{rng.integers(6)}"
                rows.append(event(name, day + 0.5, product, basket=f"{name}-{order}"))
            if order == 0:
                rows.append(event(name, day + 0.5, "starter", basket=f"{name}-0"))
    return rows


def dataset_of(
    folder: Path, rows: list[Row], attributes: Mapping[str, Any], unsold: Collection[str] = ()
) -> Dataset:
    """`attributes` are those of newcomers; everybody else has the region and a coin that tells nothing."""
    names = sorted({row["customer"] for row in rows})
    known = {
        name: {
            "region": TASTES[int(name[1:]) % 3],
            "twin": TASTES[int(name[1:]) % 3],
            "coin": str(n // 6 % 2),
        }
        for n, name in enumerate(names)
    }
    everyone = {**known, **attributes}
    people = pl.DataFrame(
        {"customer": sorted(everyone), "attributes": [json.dumps(everyone[n]) for n in sorted(everyone)]}
    )
    codes = sorted({row["product"] for row in rows} | set(unsold))
    goods = pl.DataFrame({"product": codes, "available": [code != "e0" for code in codes]})
    return build_dataset(folder, pl.DataFrame(rows, schema=EVENTS), customers=people, products=goods)


def answers(
    dataset: Dataset,
    names: list[str],
    day: float = DAYS,
    refused: Mapping[str, Collection[str]] | None = None,
) -> tuple[dict[str, Any], World]:
    cutoff = to_days(START + timedelta(days=day)) + 1 / 86_400_000
    config = TrainingConfig.from_mapping({"dataset": str(dataset.folder), **NEXT_PRODUCT, "top_k": 6})
    world = training_world(config, dataset, train_end=cutoff, cuts=(cutoff,))
    products = world.vocabulary.products
    away = {name: {products.index(code) for code in codes} for name, codes in (refused or {}).items()}
    found = newcomers(world, Market.of(world, cutoff), names, away)
    return {name: {**json.loads(payload), "score": score} for name, (score, payload) in found}, world


def listed(answer: Mapping[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


NEW: dict[str, Any] = {
    "north": {"region": "north", "coin": "1"},
    "south": {"region": "south", "coin": "1"},
    "coin": {"coin": "1"},
    "nobody": {},
}


def test_a_newcomer_gets_what_customers_with_the_same_attributes_buy(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", shop(), NEW)
    found, _ = answers(dataset, ["north", "south", "coin", "nobody"])
    for place, name in enumerate(("north", "south")):
        assert found[name]["source"] == "similar_customers"
        own = [code for code in listed(found[name]) if code.startswith(f"p{place}")]
        assert len(own) >= 4
        first = next(item["reasons"][0] for item in found[name]["items"] if item["product"] in own)
        assert (first["code"], first["attribute"], first["value"]) == ("same_branch", "region", name)
    assert {code[0] for code in listed(found["nobody"])} >= {"s", "e"}
    assert found["nobody"]["source"] == "popularity"
    assert "e0" not in listed(found["nobody"])  # not on sale


def test_an_attribute_that_tells_nothing_changes_nothing(tmp_path: Path) -> None:
    found, _ = answers(dataset_of(tmp_path / "data", shop(), NEW), ["coin", "nobody"])
    assert found["coin"] == found["nobody"]


def test_the_same_said_twice_counts_once(tmp_path: Path) -> None:
    both = {"once": {"region": "north"}, "twice": {"region": "north", "twin": "north"}}
    found, world = answers(dataset_of(tmp_path / "data", shop(), both), ["once", "twice"])
    cutoff = max(world.cuts)
    assert [each.name for each in Market.of(world, cutoff).alike.attributes] == ["region"]
    assert found["once"]["items"] == found["twice"]["items"]


def test_what_first_orders_begin_with_comes_first(tmp_path: Path) -> None:
    found, _ = answers(dataset_of(tmp_path / "data", shop(), NEW), ["nobody"])
    first = found["nobody"]["items"][0]
    assert first["product"] == "starter"
    assert [reason["code"] for reason in first["reasons"]] == ["first_order", "popular"]


def test_every_reason_for_a_newcomer_is_true(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", shop(), NEW)
    found, _ = answers(dataset, list(NEW))
    rows = [(name, answer["score"], json.dumps(answer)) for name, answer in found.items()]
    frame = pl.DataFrame(rows, schema=SCORES, orient="row")
    as_of = (START + timedelta(days=DAYS)).isoformat()
    checked = check_reasons(dataset, frame, as_of, ("purchase",))
    assert checked.untrue == []
    assert set(checked.told) == {"same_branch", "first_order", "popular"}


def test_scores_are_chances_and_fall(tmp_path: Path) -> None:
    found, _ = answers(dataset_of(tmp_path / "data", shop(), NEW), ["north"])
    scores = [item["score"] for item in found["north"]["items"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] == found["north"]["score"] <= 1


@pytest.mark.parametrize(("silent", "days"), [(40, 90), (200, 365), (500, None)])
def test_a_silent_shop_looks_further_back_and_says_so(tmp_path: Path, silent: int, days: int | None) -> None:
    found, _ = answers(dataset_of(tmp_path / "data", shop(300), NEW), ["nobody"], day=300 + silent)
    popular = [reason for item in found["nobody"]["items"] for reason in item["reasons"]]
    assert {reason["days"] for reason in popular if reason["code"] == "popular"} == {days}


def test_nothing_ever_sold_says_so(tmp_path: Path) -> None:
    rows = [event("c0000", 5, "p00", kind="visit")]
    found, _ = answers(dataset_of(tmp_path / "data", rows, NEW), ["nobody", "c0000"])
    nothing = {"source": None, "items": [], "missing": [{"code": "no_sales"}], "score": None}
    assert found == {"nobody": nothing, "c0000": nothing}


def test_what_staff_refused_stays_away_and_all_of_it_leaves_a_reason(tmp_path: Path) -> None:
    rows = [event(f"c{n:04d}", 410, "p00") for n in range(5)] + [event("c0000", 410, "p01")]
    dataset = dataset_of(tmp_path / "data", rows, NEW)
    refused = {"north": ["p00"], "south": ["p00", "p01"]}
    found, _ = answers(dataset, ["north", "south", "nobody"], refused=refused)
    assert [listed(found[name]) for name in ("north", "nobody")] == [["p01"], ["p00", "p01"]]
    assert found["south"]["missing"] == [{"code": "nothing_left"}]


def test_traits_are_those_that_enough_customers_share(tmp_path: Path) -> None:
    attributes = {
        f"c{n:04d}": {"branch": "bakery" if n < 5 else f"only {n}", "vip": n < 6, "tags": ["a", 3], "size": n}
        for n in range(8)
    }
    dataset = dataset_of(tmp_path / "data", [event("c0000", 5, "p00")], attributes)
    traits = read_traits(dataset)
    assert traits.words == [("branch", "bakery"), ("tags", "a"), ("vip", "true")]
    assert traits.of(["c0000", "c0005", "c0007", "gone"]).tolist() == [
        [0, 1, 2],
        [1, 2, -1],
        [1, -1, -1],
        [-1, -1, -1],
    ]
    assert read_traits(dataset, excluded=["branch", "tags"]).words == [("vip", "true")]
    part = read_traits(dataset, known=[("branch", "only 7"), ("vip", "true")])
    assert part.of(["c0007", "c0000"]).tolist() == [[0], [1]]
