"""What is known of everybody: prices and pieces, the autoencoder, factors and words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from handoff.config import TrainingConfig
from neural.data import autoencoder, pieces
from neural.data.autoencoder import RIDGE, Autoencoder
from neural.data.candidates import FEATURES, CandidateFinder, Candidates
from neural.data.kept import Kept
from neural.data.known import Known
from neural.data.pieces import Pieces
from neural.data.places import STEPS, Places
from neural.data.similarity import Neighbours
from neural.data.world import Queries, World, training_world
from neural.windows import to_days
from tests.neural.shop import NEXT_PRODUCT, START, event, shop_rows, write_dataset

DAY = to_days(START)


@pytest.fixture
def world(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> World:
    dataset = write_dataset(tmp_path / "data", shop_rows(40))
    cuts = (DAY + 300, DAY + 350)
    return training_world(configure(NEXT_PRODUCT), dataset, train_end=DAY + 300, cuts=cuts)


def test_prices_and_pieces_of_a_product(tmp_path: Path, configure: Callable[..., TrainingConfig]) -> None:
    rows = [
        event("c1", 9, "a", amount=8.0, quantity=4.0),
        event("c2", 50, "a", amount=2.0, quantity=1.0),
        event("c2", 90, "a", amount=4.0, quantity=4.0),
        event("c1", 95, "b", amount=0.0, quantity=0.0),
        event("c3", 120, "a", amount=900.0, quantity=1.0),
    ]
    dataset = write_dataset(tmp_path / "data", rows)
    end = DAY + 200
    world = training_world(configure(NEXT_PRODUCT), dataset, train_end=end, cuts=(end,))
    found = Pieces.at(world.history, len(world.vocabulary.products), DAY + 100)
    a, b = (world.vocabulary.products.index(name) for name in ("a", "b"))
    assert found.quantity[a] == pytest.approx(np.log(4 * 1 * 4) / 3)
    assert found.price[a] == pytest.approx(np.log(1.0))  # of the last weeks; later prices are not known
    assert found.cheaper[a] == pytest.approx((2 * np.log(2.0) + np.log(1.0)) / 3)
    assert found.pieces[a] == pytest.approx(np.log1p(4.0))
    assert found.crowding[a] == 1.0
    assert found.discovered[a] == pytest.approx(1 / 2)  # of days 50 and 90: c2 knew it on day 90
    assert found.since[a] == pytest.approx(np.log1p(10.0), abs=1e-3)
    assert [found.price[b], found.cheaper[b], found.quantity[b], found.pieces[b]] == [0, 0, 0, 0]
    assert found.table().shape == (len(world.vocabulary.products), len(pieces.COLUMNS))


def test_the_autoencoder_is_the_best_without_a_product_saying_itself() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.4, (50, 6)).astype(float)
    counts[:, 4] = 0  # never sold
    found = Autoencoder.fit(sparse.csr_array(counts))
    assert found.products.tolist() == [0, 1, 2, 3, 5]
    assert not np.diag(found.weights).any()
    known = counts[:, found.products]
    for column in range(5):
        others = np.delete(np.arange(5), column)
        gram = known[:, others].T @ known[:, others] + RIDGE * np.eye(4)
        best = np.linalg.solve(gram, known[:, others].T @ known[:, column])
        assert found.weights[others, column] == pytest.approx(best, rel=1e-4)
    assert found.scores(sparse.csr_array(counts[:3])) == pytest.approx(known[:3] @ found.weights, rel=1e-5)


def test_the_autoencoder_knows_the_best_sellers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder, "MOST", 2)
    found = Autoencoder.fit(sparse.csr_array(np.array([[1.0, 3.0, 0.0, 2.0], [1.0, 0.0, 0.0, 1.0]])))
    assert found.products.tolist() == [1, 3]
    assert Autoencoder.fit(sparse.csr_array((3, 4))).weights.shape == (0, 0)


def test_what_is_known_is_that_of_the_anchor_and_nothing_later(
    world: World, tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    later = [event(f"c{number:04d}", 310, "p03", amount=77.0, quantity=7.0) for number in range(30)]
    dataset = write_dataset(tmp_path / "more", [*shop_rows(40), *later])
    other = training_world(configure(NEXT_PRODUCT), dataset, train_end=DAY + 300, cuts=world.cuts)
    everyone = np.arange(len(world.history.customers))
    queries = Queries(everyone, np.full(len(everyone), DAY + 300.0))
    query, product = np.repeat(everyone, 5), np.tile(np.arange(5), len(everyone))
    known, same = (Known(each, Neighbours(each)) for each in (world, other))
    for name in ("suits", "worded", "pieces"):
        mine, theirs = (getattr(each, name)(queries, query, product) for each in (known, same))
        assert np.array_equal(mine, theirs)
        assert mine.any() or name == "worded"  # this shop's products have no names
    for mine, theirs in zip(known.expected(queries), same.expected(queries), strict=True):
        assert np.array_equal(mine[0], theirs[0])
        assert np.array_equal(mine[1], theirs[1])


def test_before_the_first_anchor_nothing_is_known(world: World) -> None:
    early = Queries(np.array([0]), np.array([DAY + 1.0]))
    pair = np.zeros(1, np.int64), np.zeros(1, np.int64)
    known = Known(world, Neighbours(world))
    assert not known.suits(early, *pair).any()
    assert not known.pieces(early, *pair).any()
    assert len(known.expected(early)[0][0]) == 0


def pairs(values: list[float], own: list[bool]) -> Candidates:
    features = np.zeros((len(values), FEATURES), np.float32)
    features[:, 0] = values
    number = np.arange(len(values))
    return Candidates(number, number, np.array(own), features)


def test_a_feature_is_told_by_its_place_among_those_of_training() -> None:
    learnt = Places.fit(pairs([*range(9), 100.0], [False] * 9 + [True]), seed=0)
    seen = pairs([-50.0, 0.0, 2.5, 8.0, 1e9, 5.0, 100.0], [False] * 5 + [True] * 2)
    found = learnt.apply(seen).features[:, 0]
    assert found[:5].tolist() == [0.0, 0.0, 2.5, STEPS, STEPS]
    assert found[5:].tolist() == [0.0, 0.0]  # own pairs have edges of their own: here a single value
    assert Places.read(learnt.as_json()).apply(seen).features[:, 0].tolist() == found.tolist()


def test_words_of_what_was_bought_speak_for_products_that_have_them(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    rows = [event("c1", 20, "a"), event("c2", 30, "b"), event("c2", 31, "c"), event("c2", 32, "d")]
    names = ["RED MUG", "RED SPOON", "BLUE BOWL", "BLUE SPOON"]
    dataset = write_dataset(tmp_path / "data", rows, name=pl.Series(names))
    world = training_world(configure(NEXT_PRODUCT), dataset, train_end=DAY + 90, cuts=(DAY + 90,))
    found = Known(world, Neighbours(world)).worded(
        Queries(np.array([0]), np.array([DAY + 90.0])), np.zeros(4, np.int64), np.arange(4)
    )
    assert found[0] > 0
    assert found[1] > 0  # the spoon shares a word with the mug
    assert found[2:].tolist() == [0, 0]


def test_kept_candidates_are_those_found(world: World) -> None:
    everyone = np.repeat(np.arange(len(world.history.customers)), 2)
    queries = Queries(everyone, DAY + np.tile([272.0, 300.0], len(everyone) // 2))
    finder, asked = CandidateFinder(world, Neighbours(world)), []

    def find(part: Queries) -> Candidates:
        asked.append(len(part))
        own = world.own.before(part.customer, part.time)
        found = finder.find(part, own, *world.trends.features(part.time))
        return Places.fit(found, 0).apply(found)

    kept = Kept.of(queries, find)
    assert sum(asked) == len(queries)
    assert kept.holds(queries)
    some = queries.take(np.array([1, 4, 5, 30]))
    assert not kept.holds(some)
    found, again = kept.take(some), find(queries)
    assert found is not None
    for row, number in enumerate([1, 4, 5, 30]):
        mine, theirs = found.query == row, again.query == number
        assert found.product[mine].tolist() == again.product[theirs].tolist()
        assert found.own[mine].tolist() == again.own[theirs].tolist()
        assert found.features[mine] == pytest.approx(again.features[theirs], abs=1 / 256)
    assert kept.take(Queries(some.customer, some.time + 1)) is None
