"""Lists from vectors are the lists that all logits give, with the same chances."""

import numpy as np
import pytest
import torch
from scipy import sparse

from neural.calibration import apply_platt, logit
from neural.evaluation.ranking import top_lists
from neural.listing import Factors, lend, list_best
from neural.products.unsold import Lenders
from neural.retrieval import Pairs
from neural.tasks.next_product import share

QUERIES, PRODUCTS, K = 30, 500, 12
CALIBRATION = {"slope": 0.8, "offset": -0.3}


def factors() -> Factors:
    noise = torch.Generator().manual_seed(1)
    cells = torch.randperm(QUERIES * PRODUCTS, generator=noise)[:900].sort().values
    bonus = 3 * torch.randn(900, generator=noise)
    queries, products = (torch.randn(count, 8, generator=noise) for count in (QUERIES, PRODUCTS))
    return Factors(queries, products, Pairs(cells // PRODUCTS, cells % PRODUCTS, bonus))


@pytest.mark.parametrize("left_out", [0, 40])
def test_lists_and_chances_are_those_of_all_logits(left_out: int) -> None:
    given, rng = factors(), np.random.default_rng(2)
    offered = rng.random(PRODUCTS) < 0.8
    shift = rng.normal(size=QUERIES)
    best = top_lists(np.where(offered, given.dense().numpy(), -np.inf), 3)
    query = np.repeat(np.arange(QUERIES), 3)[:left_out]
    refused = (query, best.ravel()[:left_out]) if left_out else None

    scores = np.where(offered, given.dense().numpy().astype(np.float64), -np.inf)
    chances = apply_platt(logit(share(scores)), CALIBRATION, shift=shift[:, None])
    chances = np.where(offered, chances, 0.0)
    if refused is not None:
        chances[refused] = 0.0
    wanted = top_lists(np.where(chances > 0, chances, -np.inf), K)

    found = list_best(given, K, offered=offered, calibration=CALIBRATION, shift=shift, refused=refused)
    assert found.products.tolist() == wanted.tolist()
    assert found.chances == pytest.approx(np.take_along_axis(chances, wanted, axis=1), rel=1e-4)


def test_where_little_is_offered_lists_are_short() -> None:
    offered = np.zeros(PRODUCTS, bool)
    offered[[3, 400]] = True
    refused = (np.array([0, 1, 1]), np.array([3, 3, 400]))
    nothing = np.zeros(QUERIES)
    found = list_best(factors(), K, offered=offered, calibration=CALIBRATION, shift=nothing, refused=refused)
    assert found.products.shape == (QUERIES, K)
    assert (found.products >= 0).sum(axis=1).tolist() == [1, 0, *[2] * (QUERIES - 2)]
    assert found.products[0, 0] == 400
    assert (found.chances[:, 2:] == 0).all()
    assert (found.chances[2:, :2] > 0).all()


def test_what_is_unsold_is_lent_the_logits_that_whole_rows_would_lend() -> None:
    given = factors()
    unsold, selling = np.arange(10, 40), np.arange(100, 450)
    rng = np.random.default_rng(3)
    weights = np.where(rng.random((30, 350)) < 0.02, 0.05 * rng.random((30, 350)), 0.0)  # rows: less than 1
    lenders = Lenders(unsold, selling, sparse.csr_array(weights))
    wanted = lenders.lend(given.dense().numpy())
    found = lend(given, lenders)
    np.testing.assert_allclose(found.dense().numpy(), wanted, atol=1e-4)
    assert np.abs(wanted - given.dense().numpy())[:, unsold].max() > 1
    assert bool((found.pairs.query.diff() >= 0).all())  # as `Pairs` has it


def test_where_all_was_sold_nothing_is_lent() -> None:
    given = factors()
    assert lend(given, Lenders(np.zeros(0, np.int64), np.arange(5), sparse.csr_array((0, 5)))) is given
