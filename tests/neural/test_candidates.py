"""The candidates found query by query are those of a plain computation over all products at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handoff.config import TrainingConfig
from neural.data import candidates, repeats
from neural.data.candidates import COLUMNS, FEATURES, CandidateFinder, leading, strongest
from neural.data.similarity import KNN_DECAY, Neighbours, own_counts
from neural.data.world import Queries, World, training_world
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset

DAY = to_days(START)
NEAR, HOPED, MARKET = 9, 5, 4  # so few that lists are cut


def rows() -> list[Row]:
    """The shop, where every p0… is always bought with a twin: the two are equally close to everything."""
    found = shop_rows(60)
    twins = [
        {**row, "product": f"t{row['product']}"} for row in found if str(row["product"]).startswith("p0")
    ]
    return [*found, *twins, event("c0001", 5, "once")]


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    dataset = write_dataset(tmp_path / "data", rows())
    cuts = (DAY + 300, DAY + 350)
    return training_world(configure(NEXT_PRODUCT), dataset, train_end=DAY + 300, cuts=cuts)


@pytest.fixture
def queries(world: World) -> Queries:
    """Everyone at moments that read several anchors, the first of them none."""
    customer = np.repeat(np.arange(len(world.history.customers)), 4)
    return Queries(customer, DAY + np.tile([15.0, 130.0, 299.0, 350.0], len(customer) // 4))


def plain(world: World, finder: CandidateFinder, asked: Queries) -> dict[int, list[float]]:
    """The candidates of one query, and what is near and expected of each, from whole rows."""
    known = finder.known.neighbours.similar(float(asked.time[0]))
    similar = np.zeros((len(world.vocabulary.products),) * 2) if known is None else known.toarray()
    count = own_counts(world, asked, KNN_DECAY).astype(np.float32).toarray()[0]
    score = np.zeros_like(count)
    for bought in np.flatnonzero(count):  # one by one, so that twins tie here too
        score += count[bought] * similar[bought].astype(np.float32)
    usual = score.sum() / max(int((score > 0).sum()), 1)
    close = np.log1p(10 * score / max(usual, 1e-30))
    order = [place for place in np.lexsort((np.arange(len(close)), -close)).tolist() if close[place] > 0]

    seen, value = finder.known.expected(asked)[0]
    hope = np.zeros_like(count)
    hope[seen] = value
    hoped = seen[np.lexsort((seen, -value))[:HOPED]]
    market, _ = world.trends.features(asked.time)
    taken = {*order[:NEAR], *hoped.tolist(), *leading(market[0]).tolist(), *np.flatnonzero(count).tolist()}
    return {each: [close[each], hope[each]] for each in sorted(taken)}


def test_candidates_are_those_of_a_plain_computation_ties_included(
    world: World, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"NEAR": NEAR, "HOPED": HOPED, "MARKET": MARKET}.items():
        monkeypatch.setattr(candidates, name, value)
    own = world.own.before(queries.customer, queries.time)
    market, day = world.trends.features(queries.time)
    finder = CandidateFinder(world, Neighbours(world))
    found = finder.find(queries, own, market, day)
    assert found.features.shape == (len(found.query), FEATURES)
    assert found.features.dtype == np.float32
    cut = 0
    for row in range(len(queries)):
        mine = np.flatnonzero(found.query == row)
        expected = plain(world, finder, queries.take(slice(row, row + 1)))
        assert found.product[mine].tolist() == list(expected)
        columns = np.array([COLUMNS.index("near"), COLUMNS.index("expected")])
        values = np.array(list(expected.values())).reshape(-1, 2)
        assert found.features[np.ix_(mine, columns)] == pytest.approx(values, abs=2e-5)
        cut += len(expected) < len(world.vocabulary.products)
    assert cut > 100  # lists were cut where twins tie
    bought = set(zip(own.query.tolist(), own.product.tolist(), strict=True))
    pairs = zip(found.query.tolist(), found.product.tolist(), strict=True)
    assert found.own.tolist() == [pair in bought for pair in pairs]
    assert np.array_equal(found.features[found.own, : repeats.FEATURES], own.features)
    assert not found.features[~found.own, : repeats.FEATURES].any()
    price = COLUMNS.index("price")
    assert np.array_equal(found.features[:, price], world.vocabulary.product_price[found.product])
    trend = COLUMNS.index("market_0")
    seen = found.features[:, trend : trend + market.shape[2]]
    assert np.array_equal(seen, market[day[found.query], found.product])
    assert np.array_equal(found.features[:, -repeats.HABITS :], own.habits[found.query])


def test_ranks_are_among_the_candidates_of_a_query(world: World, queries: Queries) -> None:
    own = world.own.before(queries.customer, queries.time)
    found = CandidateFinder(world, Neighbours(world)).find(queries, own, *world.trends.features(queries.time))
    for name in ("near", "expected", "suits", "worded"):
        value, rank = (found.features[:, COLUMNS.index(each)] for each in (name, f"{name}_rank"))
        for row in range(0, len(queries), 17):
            mine = np.flatnonzero(found.query == row)
            places = np.rint(np.expm1(rank[mine])).astype(int)
            assert sorted(places) == list(range(len(mine)))
            assert np.all(np.diff(value[mine][np.argsort(places)]) <= 0)


def test_a_price_is_held_against_the_one_that_the_customer_paid(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    paid = [event("c1", 10, "a", amount=20.0, quantity=2.0), event("c2", 299, "a", amount=6.0, quantity=1.0)]
    dataset = write_dataset(tmp_path / "data", [*paid, event("c1", 290, "b", amount=9.0, quantity=3.0)])
    config = configure(NEXT_PRODUCT)
    world = training_world(config, dataset, train_end=DAY + 300, cuts=(DAY + 300,))
    queries = Queries(np.array([0]), np.array([DAY + 300]))
    own = world.own.before(queries.customer, queries.time)
    found = CandidateFinder(world, Neighbours(world)).find(queries, own, *world.trends.features(queries.time))
    dearer = dict(zip(found.product.tolist(), found.features[:, COLUMNS.index("dearer")], strict=True))
    assert dearer[0] == pytest.approx(np.log(6.0 / 10.0))  # a now costs 6, and the customer paid 10
    assert dearer[1] == pytest.approx(0.0, abs=1e-6)


def test_twins_tie_and_the_lower_number_comes_first(world: World) -> None:
    names = world.vocabulary.products
    closeness = Neighbours(world).closeness(world.with_history(DAY + 300)).toarray()
    for name in ("p00", "p05"):
        assert np.array_equal(closeness[:, names.index(name)], closeness[:, names.index(f"t{name}")])
    assert closeness[:, names.index("p05")].any()


def test_of_equal_values_the_lower_product_is_kept_at_the_edge_too() -> None:
    product = np.array([7, 2, 9, 4, 1])
    value = np.array([1, 3, 1, 3, 1], np.float32)
    assert [strongest(product, value, most).tolist() for most in (1, 3, 4, 9)] == [
        [2],
        [2, 4, 1],
        [2, 4, 1, 7],
        [2, 4, 1, 7, 9],
    ]
    assert strongest(product[:0], value[:0], 3).tolist() == []


def test_nobody_asked_has_no_candidates(world: World) -> None:
    nobody = Queries(np.zeros(0, np.int64), np.zeros(0))
    market, day = world.trends.features(nobody.time)
    own = world.own.before(nobody.customer, nobody.time)
    found = CandidateFinder(world, Neighbours(world)).find(nobody, own, market, day)
    assert found.features.shape == (0, FEATURES)
    assert found.query.dtype == found.product.dtype == np.int64
