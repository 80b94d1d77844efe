"""A product without a sale takes after those that it resembles and that sell."""

import numpy as np
import pytest

from neural.data.history import Floats
from neural.data.vocabulary import Vocabulary
from neural.products.unsold import Lenders

NAMES = [
    "Blue enamel kettle",
    "Blue enamel jug",
    "Paper garland",
    "Paper napkins",
    "Red enamel kettle",
    "Zzz",
]
SOLD = np.array([9, 9, 9, 0, 0, 0])
FIRST: Floats = np.array([1.0, 2.0, 3.0, 4.0, np.inf, 99.0])  # the fifth never, the sixth after the moment


def vocabulary(offered: list[bool] | None = None) -> Vocabulary:
    count = len(NAMES)
    return Vocabulary(
        products=[f"p{number}" for number in range(count)],
        known=4,
        kinds=["", "purchase"],
        categories=["", "kitchen", "party"],
        product_category=np.array([1, 1, 2, 2, 1, 0]),
        product_price=np.log1p(np.array([20.0, 15.0, 2.0, 2.0, 20.0, 0.0])).astype(np.float32),
        offered=np.array(offered or [True] * count),
        product_names=NAMES,
    )


SCORES = np.array([[3.0, 1.0, -2.0, 9.0, 0.0, 0.0], [-2.0, -2.0, 4.0, 9.0, 0.0, 0.0]])


def test_what_resembles_a_product_lends_it_its_odds() -> None:
    lenders = Lenders.of(vocabulary(), FIRST, SOLD, 50.0)
    assert lenders.unsold.tolist() == [4, 5]
    assert lenders.selling.tolist() == [0, 1, 2]  # what nobody buys any more lends nothing
    lent = lenders.lend(SCORES)
    np.testing.assert_array_equal(lent[:, :4], SCORES[:, :4])
    assert 2.0 < lent[0, 4] < 3.0  # near the kettle's, for who wants kettles
    assert lent[1, 4] < lent[1, 2]
    assert lent[0, 4] - lent[1, 4] > 1


def test_a_product_that_resembles_nothing_gets_what_all_that_sells_gets() -> None:
    lent = Lenders.of(vocabulary(), FIRST, SOLD, 50.0).lend(SCORES)
    assert lent[0, 5] == pytest.approx(np.log(np.exp([3.0, 1.0, -2.0]).mean()))


def test_what_was_sold_or_is_not_offered_keeps_its_score() -> None:
    lenders = Lenders.of(vocabulary([True] * 5 + [False]), FIRST, SOLD, 50.0)
    assert lenders.unsold.tolist() == [4]
    later = Lenders.of(vocabulary(), np.zeros(6), SOLD, 50.0)
    assert later.lend(SCORES) is SCORES


def test_a_shop_that_sells_nothing_lends_nothing() -> None:
    lenders = Lenders.of(vocabulary(), FIRST, np.zeros(6, np.int64), 50.0)
    assert lenders.lend(SCORES) is SCORES


def test_scores_of_minus_infinity_lend_nothing_and_break_nothing() -> None:
    scores = SCORES.copy()
    scores[0, 0] = -np.inf
    lent = Lenders.of(vocabulary(), FIRST, SOLD, 50.0).lend(scores)
    assert np.isfinite(lent[0, 4])
    assert lent[0, 4] < SCORES[0, 1]
