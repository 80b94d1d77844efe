"""Per-customer ranking metrics, novelty and the curves of a recommender's test."""

import math

import numpy as np
import pytest

from neural.evaluation.novelty import Popularity
from neural.evaluation.ranking import (
    Truth,
    by_length,
    means,
    query_metrics,
    ranking_metrics,
    spread_of,
)

# Customer 0 buys 5 and 7 and is offered 5, 1, 7; customer 1 buys nothing; customer 2 buys 3 and gets 4.
TRUTH = Truth.of(np.array([0, 0, 2]), np.array([5, 7, 3]), queries=3, products=9)
LISTS = np.array([[5, 1, 7], [5, 1, 7], [4, -1, -1]])
IDEAL = 1 + 1 / math.log2(3)


def test_each_customer_has_metrics_of_its_own() -> None:
    found = query_metrics(LISTS, TRUTH)

    assert found["ndcg@10"][[0, 2]].tolist() == pytest.approx([1.5 / IDEAL, 0])
    assert found["recall@20"][[0, 2]].tolist() == [1, 0]
    assert found["precision@10"][[0, 2]].tolist() == pytest.approx([0.2, 0])
    assert found["map@10"][[0, 2]].tolist() == pytest.approx([(1 + 2 / 3) / 2, 0])
    assert found["hit@10"][[0, 2]].tolist() == [1, 0]
    assert all(np.isnan(values[1]) for values in found.values())


def test_the_windows_metrics_are_their_means() -> None:
    whole = ranking_metrics(LISTS, TRUTH, candidates=8, suffix="_new")

    assert whole["ndcg@10_new"] == pytest.approx(1.5 / IDEAL / 2)
    assert whole["coverage@10_new"] == 4 / 8
    assert {name.removesuffix("_new") for name in whole} == {*query_metrics(LISTS, TRUTH), "coverage@10"}
    assert means({"a": np.array([np.nan])}) == {"a": None}


def test_longer_lists_find_more() -> None:
    found = by_length(LISTS, TRUTH)

    assert [k for k, _value in found["recall"]] == [1, 2, 3, 5, 10, 15, 20]
    assert [value for _k, value in found["recall"]][:3] == [0.25, 0.25, 0.5]
    assert found["ndcg"][0] == [1, 0.5]
    nobody = Truth.of(np.zeros(0, int), np.zeros(0, int), queries=1, products=9)
    assert by_length(LISTS[:1], nobody) == {"ndcg": [], "recall": []}


def test_the_spread_counts_every_customer_once() -> None:
    found = spread_of(np.array([0.0, 0.05, 1.0, np.nan]))

    assert [each["count"] for each in found] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (found[0]["from"], found[-1]["to"]) == (0.0, 1.0)


POPULARITY = Popularity(buyers=np.array([8, 4, 2, 1, 0]), customers=8)


def test_novelty_is_the_bits_that_a_purchase_tells() -> None:
    truth = Truth.of(np.array([0, 1]), np.array([0, 0]), queries=3, products=5)
    lists = np.array([[0, 1, 2], [3, 4, -1], [0, 1, 2]])

    found = POPULARITY.novelty(lists, truth)

    assert found[:2].tolist() == pytest.approx([(0 + 1 + 2) / 3, (3 + 3) / 2])
    assert np.isnan(found[2])  # nobody whom the test counts
    nothing = np.full((3, 3), -1)
    assert np.isnan(POPULARITY.novelty(nothing, truth)).all()


def test_shares_tell_how_much_goes_to_best_sellers() -> None:
    popularity = Popularity(buyers=np.arange(100)[::-1].copy(), customers=200)
    truth = Truth.of(np.array([0, 0, 0, 0]), np.array([0, 3, 30, 99]), queries=1, products=100)

    found = popularity.shares(np.array([[0, 1, 2, 50]]), truth)

    assert found == [
        {"upto": 0.01, "listed": 0.25, "bought": 0.25},
        {"upto": 0.05, "listed": 0.5, "bought": 0.25},
        {"upto": 0.2, "listed": 0.0, "bought": 0.0},
        {"upto": 1.0, "listed": 0.25, "bought": 0.5},
    ]
