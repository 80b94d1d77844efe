"""Product → best customers, substitutes, bundles: every stored fact counted again in plain Python."""

import json
from collections import defaultdict
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.scores import AUDIENCE, RELATIONS, side_path
from neural.products import audience
from neural.products.audience import Audience, kept_in
from neural.products.bundles import LEAST_ORDERS
from neural.products.likeness import words_of
from neural.products.substitutes import LEAST_CUSTOMERS, MOST_TOGETHER
from neural.products.tables import MOST
from neural.scoring import score
from neural.training import train
from tests.neural.shop import NEXT_PRODUCT, SHARDS, SMALL, START, Row, event, shop_rows, write_dataset

AS_OF = START + timedelta(days=410)
GONE = "p00"  # no longer on sale
NAMES = {
    "m1": "Red glass mug",
    "m2": "Blue glass mug",
    "m3": "Glass mug with its lid",
    "n1": "Red glass mug, new",
}
PRICES = {"m1": 5.0, "m2": 5.5, "m3": 20.0, "n1": 5.0}
Payload = dict[str, Any]


def raw() -> list[Row]:
    """The shop; mugs of which two are bought in turn and one always with the first; and a late purchase."""
    rows = shop_rows(90)
    for number in range(24):
        name = f"c4{number:03d}"
        for turn, day in enumerate(range(20 + number, 400, 40)):
            basket = f"{name}-{day}"
            rows.append(event(name, day + 0.5, "m2" if turn % 3 == 2 else "m1", basket=basket))
            if turn % 3 != 2:
                rows.append(event(name, day + 0.5, "m3", basket=basket))
    rows.append(event("c4000", 5.5, "n1", kind="return"))  # never bought
    rows.append(event("c9999", 3.5, None, kind="email"))
    return [*rows, event("c4001", 415, "n1", basket="after"), event("c4001", 415, "m2", basket="after")]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    codes = sorted({row["product"] for row in raw() if row["product"]})
    columns = {
        "name": pl.Series([NAMES.get(code, code) for code in codes], dtype=pl.String),
        "category": pl.Series(["Mugs" if code in NAMES else f"category {code[:2]}" for code in codes]),
        "price": pl.Series([PRICES.get(code, 10.0) for code in codes], dtype=pl.Float64),
        "available": pl.Series([code != GONE for code in codes], dtype=pl.Boolean),
    }
    return write_dataset(tmp_path_factory.mktemp("data"), raw(), **columns)


@pytest.fixture(scope="module")
def scored(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the score files and side files of both shards."""
    folder = tmp_path_factory.mktemp("run")
    config = {"dataset": str(dataset.folder), **SMALL, **NEXT_PRODUCT, "top_k": 50}
    TrainingConfig.from_mapping(config).write(folder)
    assert train(folder).status == "succeeded"
    for shard in range(SHARDS):
        out = folder / f"{shard}.parquet"
        score(folder / "artifact", dataset.folder, root=folder, shard=shard, as_of=AS_OF.isoformat(), out=out)
    return folder


@pytest.fixture(scope="module")
def relations(scored: Path) -> dict[str, Payload]:
    frame = pl.read_parquet(side_path(scored / "0.parquet", "relations"))
    assert frame.schema == RELATIONS
    assert not side_path(scored / "1.parquet", "relations").exists()
    return {key: json.loads(payload) for key, payload in frame.iter_rows()}


@pytest.fixture(scope="module")
def baskets() -> dict[str, tuple[str, set[str]]]:
    """Customer and products of each order before AS_OF; an order is a basket of one day."""
    found: dict[str, tuple[str, set[str]]] = {}
    for row in raw():
        if row["kind"] == "purchase" and row["at"] <= AS_OF:
            key = f"{row['customer']} {row['basket'] or row['at']} {row['at'].date()}"
            found.setdefault(key, (row["customer"], set()))[1].add(row["product"])
    return found


def test_the_best_customers_of_a_product_are_those_with_the_best_chances(scored: Path) -> None:
    for shard in range(SHARDS):
        frame = pl.read_parquet(side_path(scored / f"{shard}.parquet", "audience"))
        assert frame.schema == AUDIENCE
        expected: dict[str, dict[str, float]] = defaultdict(dict)
        for customer, _, payload in pl.read_parquet(scored / f"{shard}.parquet").iter_rows():
            answer = json.loads(payload)
            for item in answer["items"] if answer["source"] == "model" else []:
                expected[item["product"]][customer] = item["score"]
        assert set(frame["key"]) == set(expected)
        assert "n1" in set(frame["key"])  # never sold, and has callers all the same
        for product, rows in frame.group_by("key"):
            mine = expected[str(product[0])]
            assert set(rows["customer"]) == set(mine)
            assert rows["chance"].is_sorted(descending=True)
            for customer, chance in rows.select("customer", "chance").iter_rows():
                assert chance == pytest.approx(mine[customer], abs=6e-5, rel=6e-3)


def test_what_a_caller_bought_before_is_true(scored: Path, baskets: Any) -> None:
    bought: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in raw():
        if row["kind"] == "purchase" and row["at"] <= AS_OF:
            bought[row["customer"], row["product"]].append(row["at"])
    told = 0
    for shard in range(SHARDS):
        frame = pl.read_parquet(side_path(scored / f"{shard}.parquet", "audience"))
        for product, customer, _, times, since in frame.iter_rows():
            mine = bought.get((customer, product), [])
            assert (times or 0) == len(mine)
            assert since == ((AS_OF - max(mine)).days if mine else None)
            told += bool(mine)
    assert told > 200


def test_every_fact_of_a_bundle_is_true(relations: dict[str, Payload], baskets: Any) -> None:
    orders: dict[frozenset[str], int] = defaultdict(int)
    for _, products in baskets.values():
        for one in products:
            orders[frozenset([one])] += 1
        for pair in combinations(sorted(products), 2):
            orders[frozenset(pair)] += 1
    told = 0
    for product, payload in relations.items():
        assert payload["orders"] == orders[frozenset([product])]
        assert len(payload["bundles"]) <= MOST
        for entry in payload["bundles"]:
            together = orders[frozenset([product, entry["product"]])]
            assert (entry["orders"], entry["of"]) == (together, payload["orders"])
            assert together >= LEAST_ORDERS
            by_chance = payload["orders"] * orders[frozenset([entry["product"]])] / len(baskets)
            assert entry["lift"] == pytest.approx(together / by_chance, abs=0.006)
            assert entry["lift"] > 1
            told += 1
    assert told > 20
    assert relations["m1"]["bundles"][0]["product"] == "m3"


def test_every_fact_of_a_substitute_is_true(relations: dict[str, Payload], baskets: Any) -> None:
    buyers: dict[str, set[str]] = defaultdict(set)
    for customer, products in baskets.values():
        for product in products:
            buyers[product].add(customer)
    told = 0
    for product, payload in relations.items():
        assert payload["customers"] == len(buyers[product])
        for entry in payload["substitutes"]:
            other = entry["product"]
            assert other != product
            together = sum({product, other} <= products for _, products in baskets.values())
            rarer = min(payload["orders"], relations[other]["orders"])
            assert together <= MOST_TOGETHER * rarer
            both = len(buyers[product] & buyers[other])
            facts = {reason["code"]: reason for reason in entry["reasons"]}
            assert ("instead" in facts) == (both >= LEAST_CUSTOMERS)
            if "instead" in facts:
                assert (facts["instead"]["customers"], facts["instead"]["orders"]) == (both, together)
            told += 1
    assert told > 20


def test_mugs_replace_each_other_but_what_is_bought_along_does_not(relations: dict[str, Payload]) -> None:
    (first, *_others) = relations["m1"]["substitutes"]
    assert first["product"] in ("m2", "n1")
    assert {"m2", "n1"} <= {entry["product"] for entry in relations["m1"]["substitutes"]}
    assert "m3" not in {entry["product"] for entry in relations["m1"]["substitutes"]}
    (blue,) = (entry for entry in relations["m1"]["substitutes"] if entry["product"] == "m2")
    assert blue["reasons"] == [
        {"code": "similar_name", "words": ["glass", "mug"]},
        {"code": "same_category", "category": "Mugs"},
        {"code": "near_price", "price": 5.5, "beside": 5.0},
        {"code": "instead", "customers": 24, "orders": 0},
    ]


def test_a_product_never_bought_is_placed_by_what_is_known_of_it(relations: dict[str, Payload]) -> None:
    new = relations["n1"]
    assert (new["orders"], new["customers"], new["bundles"]) == (0, 0, [])
    assert new["known_by"] == ["name", "category", "price"]
    assert new["ranked_by"] == ["category", "price"]  # no text model reads the names
    assert {entry["product"] for entry in new["substitutes"]} >= {"m1", "m2"}


def test_what_is_not_on_sale_is_nobodys_substitute_or_bundle(
    relations: dict[str, Payload], scored: Path
) -> None:
    assert relations[GONE]["offered"] is False
    named = {
        entry["product"]
        for payload in relations.values()
        for entry in (*payload["substitutes"], *payload["bundles"])
    }
    assert GONE not in named
    assert GONE not in set(pl.read_parquet(side_path(scored / "0.parquet", "audience"))["key"])


@pytest.mark.parametrize("waiting", [1, 50, 10**9])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_an_audience_is_what_sorting_everything_would_give(
    most: int, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "WAITING", waiting)
    monkeypatch.setattr(audience, "WIDTH", 4)
    rng = np.random.default_rng(3)
    chances = np.round(rng.random((60, 11)), 1).astype(np.float32)  # with many ties, and zeros
    gathered = Audience(11, most)
    order = rng.permutation(60)
    for part in np.array_split(order, 7):
        gathered.add(part, chances[part][:, :6])
        gathered.add(part, chances[part][:, 6:], first=6)
    product, customer, chance = gathered.best()
    for number in range(11):
        ranked = sorted(range(60), key=lambda one: (-chances[one, number], one))  # noqa: B023
        expected = [one for one in ranked if chances[one, number] > 0][:most]
        mine = product == number
        assert chance[mine].tolist() == chances[expected, number].tolist()
        assert customer[mine].tolist() == expected


def test_nobody_at_all_is_an_empty_audience() -> None:
    assert [len(part) for part in Audience(3, 5).best()] == [0, 0, 0]


def test_the_shards_keep_enough_together() -> None:
    assert [kept_in(shards) for shards in (1, 2, 4, 64)] == [200, 100, 50, 6]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RED  mug, 2 red spoons", ["red", "mug", "2", "spoons"]),
        ("玻璃红杯", ["玻璃", "璃红", "红杯"]),
        ("é", []),
        ("", []),
    ],
)
def test_words_of_a_name(name: str, words: list[str]) -> None:
    assert words_of(name) == words
