"""Reasons for products: every fact that can be stated, for every product and customer of a small shop."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.building import build_dataset
from handoff.config import TrainingConfig
from handoff.dataset import EVENTS, Dataset
from handoff.scores import SCORES
from neural.data.world import World, training_world
from neural.listing import Listed
from neural.reasons.checking import check_reasons
from neural.reasons.evidence import reasons_for
from neural.reasons.market import Market
from neural.reasons.others import Reason
from neural.reasons.recommendations import explained
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, Row, event, shop_rows

DAYS = 420
AS_OF = START + timedelta(days=DAYS)
CUTOFF = to_days(AS_OF) + 1 / 86_400_000
NEW = "n00"  # in the catalogue, never sold


def raw() -> list[Row]:
    """The shop, and customers of whom each reason can be told."""
    rows = shop_rows(90, DAYS)
    for number in range(12):  # steadily the same, and of one club
        name = f"c8{number:03d}"
        for day in range(30 + number, DAYS - 20, 30):
            rows += [event(name, day + 0.5, product, basket=f"{name}-{day}") for product in ("k00", "k01")]
    for number in range(14):  # one thing a year ago, another now
        rows.append(event(f"c7{number:03d}", 60 + number / 2, "s00"))
        rows.append(event(f"c7{number:03d}", 396 + number, "r00"))
    rows += [event("c6000", 20 + number, f"h{number:04d}") for number in range(40)]
    return rows


def customers(rows: list[Row]) -> pl.DataFrame:
    names = sorted({row["customer"] for row in rows})
    clubs = [json.dumps({"club": name[:2] == "c8", "area": f"a{int(name[1:]) % 2}"}) for name in names]
    return pl.DataFrame({"customer": names, "attributes": clubs})


def products(rows: list[Row]) -> pl.DataFrame:
    codes = [*sorted({row["product"] for row in rows if row["product"]}), NEW]
    names = {"k00": "Blue enamel kettle", "k01": "Blue enamel jug", NEW: "Red enamel kettle"}
    category = [f"category {code[:2]}" for code in codes]
    listed = {"product": codes, "name": [names.get(code, f"thing {code}") for code in codes]}
    return pl.DataFrame({**listed, "category": category})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rows = raw()
    folder = tmp_path_factory.mktemp("reasons") / "data"
    events = pl.DataFrame(rows, schema=EVENTS)
    return build_dataset(folder, events, customers=customers(rows), products=products(rows), shards=2)


@pytest.fixture(scope="module")
def world(dataset: Dataset) -> World:
    config = TrainingConfig.from_mapping({"dataset": str(dataset.folder), **NEXT_PRODUCT})
    return training_world(config, dataset, train_end=CUTOFF, cuts=(CUTOFF - 30, CUTOFF))


@pytest.fixture(scope="module")
def scores(world: World) -> pl.DataFrame:
    """Every product put before every customer, as a score file."""
    market, queries = Market.of(world, CUTOFF), world.with_history(CUTOFF)
    width = len(world.vocabulary.products)
    rows: list[tuple[str, Any, str]] = []
    for first in range(0, width, 20):
        part = np.arange(first, min(first + 20, width))
        lists = np.tile(part, (len(queries), 1))
        found = explained(world, market, queries, Listed(lists, np.ones(lists.shape)))
        rows += [(name, score, payload) for name, (score, payload) in found]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def told(world: World, customer: str, product: str) -> list[Reason]:
    queries = world.with_history(CUTOFF)
    chosen = queries.take(np.flatnonzero(queries.customer == world.history.customers.index(customer)))
    lists = np.array([[world.vocabulary.products.index(product)]])
    return reasons_for(world, Market.of(world, CUTOFF), chosen, lists)[0]


def test_every_fact_of_every_code_is_true(dataset: Dataset, scores: pl.DataFrame) -> None:
    checked = check_reasons(dataset, scores, AS_OF.isoformat(), ("purchase",))
    assert checked.untrue == []
    assert checked.share_true == 1.0
    own = {"due", "repeat", "like", "bought_with", "category"}
    assert set(checked.told) == own | {"same_branch", "season", "rising", "popular"}
    assert min(checked.told.values()) >= 10


def changed(reason: Reason) -> Iterator[Reason]:
    """The reason with one fact after the other made false."""
    for name, value in reason.items():
        if isinstance(value, float | int):
            yield {**reason, name: value + 1}
        elif isinstance(value, list):
            yield {**reason, name: [*value, "moon"]}
        elif name in ("product", "category", "value"):
            yield {**reason, name: "h0001"}


def test_the_check_notices_each_fact_that_is_not_true(dataset: Dataset, scores: pl.DataFrame) -> None:
    seen: set[str] = set()
    false: list[tuple[str, None, str]] = []
    for customer, payload in scores.select("customer", "payload").iter_rows():
        for item in json.loads(payload)["items"]:
            for reason in item["reasons"]:
                if reason["code"] in seen:
                    continue
                seen.add(reason["code"])
                for wrong in changed(reason):
                    items = [{"product": item["product"], "reasons": [wrong]}]
                    false.append((customer, None, json.dumps({"items": items})))
    frame = pl.DataFrame(false, schema=SCORES, orient="row")
    checked = check_reasons(dataset, frame, AS_OF.isoformat(), ("purchase",))
    assert len(checked.untrue) == len(false) > 25


def test_the_check_notices_an_unknown_code_and_a_contradiction(dataset: Dataset) -> None:
    popular, rising = {"code": "popular", "direction": "up"}, {"code": "rising", "direction": "up"}
    items = [{"product": "r00", "reasons": [{"code": "moon", "direction": "up"}]}]
    contradiction = [{**rising, "customers": 14, "before": 0, "days": 28}]
    contradiction.append({**popular, "customers": 14, "days": 28})
    items.append({"product": "r00", "reasons": contradiction})
    frame = pl.DataFrame([("c0001", None, json.dumps({"items": items}))], schema=SCORES, orient="row")
    checked = check_reasons(dataset, frame, AS_OF.isoformat(), ("purchase",))
    assert checked.untrue == [
        "c0001 r00: {'code': 'moon', 'direction': 'up'} should be None",
        "c0001 r00: ['popular', 'rising'] contradict each other",
    ]
    assert checked.share_true == pytest.approx(1 / 3)


def test_what_is_bought_steadily_and_due_is_said_so(world: World) -> None:
    reason = told(world, "c8000", "k00")[0]
    assert reason == {
        "code": "due",
        "direction": "up",
        "times": 13,
        "days_since": 29,
        "usual_gap_days": 30.0,
    }


def test_an_unsold_product_resembles_what_the_customer_bought(world: World) -> None:
    like = {"code": "like", "direction": "up", "product": "k00", "times": 13, "words": ["enamel", "kettle"]}
    assert told(world, "c8000", NEW) == [like]
    assert told(world, "c0000", NEW) == []


def test_the_club_speaks_for_what_its_members_buy(world: World) -> None:
    reasons = {reason["code"]: reason for reason in told(world, "c8000", "k01")}
    assert reasons["same_branch"] == {
        "code": "same_branch",
        "direction": "up",
        "attribute": "club",
        "value": "true",
        "customers": 11,  # of the others: who is told does not count
        "of": 11,
        "days": 365,
        "elsewhere": 0.0,
    }
    assert "same_branch" not in {reason["code"] for reason in told(world, "c0000", "k01")}


def test_reasons_begin_with_the_customers_own_and_are_four_at_most(scores: pl.DataFrame) -> None:
    longest = 0
    for payload in scores["payload"]:
        for item in json.loads(payload)["items"]:
            longest = max(longest, len(item["reasons"]))
            assert len(item["reasons"]) == len({reason["code"] for reason in item["reasons"]}) <= 4
    assert longest == 4


def test_items_far_down_a_list_say_less(world: World) -> None:
    queries = world.with_history(CUTOFF)
    one = queries.take(np.array([len(queries) - 1]))
    lists = np.full((1, 21), world.vocabulary.products.index("k00"))
    found = reasons_for(world, Market.of(world, CUTOFF), one, lists)
    assert [len(reasons) for reasons in found] == [4] * 20 + [2]
