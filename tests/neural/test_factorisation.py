from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from neural import factorisation
from neural.factorisation import factorise, fold_in, objective

L2, ALPHA, RANK = 0.3, 2.0, 6


@pytest.fixture
def counts() -> sparse.csr_array:
    """40 customers and 25 products of two tastes, in rows of very different length; row 7, column 3 empty."""
    rng = np.random.default_rng(5)
    taste = (np.arange(40)[:, None] % 2 == np.arange(25)[None, :] % 2) * 0.5 + 0.1
    table = rng.poisson(taste * rng.gamma(1.0, 1.0, (40, 1))).astype(np.float64)
    table[7], table[:, 3] = 0, 0
    return sparse.csr_array(table)


def dense_loss(table: np.ndarray, customers: np.ndarray, products: np.ndarray) -> float:
    error = (table > 0) - customers.astype(np.float64) @ products.astype(np.float64).T
    squares = np.sum(customers.astype(np.float64) ** 2) + np.sum(products.astype(np.float64) ** 2)
    return float(np.sum((1 + ALPHA * table) * error**2) + L2 * squares)


def test_the_objective_counts_every_pair(counts: sparse.csr_array) -> None:
    rng = np.random.default_rng(0)
    customers = rng.normal(size=(40, RANK)).astype(np.float32)
    products = rng.normal(size=(25, RANK)).astype(np.float32)
    found = objective(counts, customers, products, L2, ALPHA)
    assert found == pytest.approx(dense_loss(counts.toarray(), customers, products), rel=1e-9)


def test_the_objective_falls_at_every_half_step(counts: sparse.csr_array) -> None:
    noise = torch.Generator().manual_seed(0)
    products = torch.randn(25, RANK, generator=noise).mul_(factorisation.SPREAD).numpy()
    losses = []
    for _ in range(5):
        customers = fold_in(counts, products, L2, ALPHA)
        losses.append(objective(counts, customers, products, L2, ALPHA))
        products = fold_in(sparse.csr_array(counts.T), customers, L2, ALPHA)
        losses.append(objective(counts, customers, products, L2, ALPHA))
    assert np.all(np.diff(losses) < 0)
    assert losses[0] > 1.2 * losses[-1]
    np.testing.assert_array_equal(factorise(counts, RANK, L2, ALPHA, 5, seed=0), products)


def test_folding_in_solves_the_normal_equations(counts: sparse.csr_array) -> None:
    vectors = factorise(counts, RANK, L2, ALPHA, 3, seed=0)
    customers, table = fold_in(counts, vectors, L2, ALPHA), counts.toarray()
    exact = vectors.astype(np.float64)
    for row in range(40):
        weight = 1 + ALPHA * table[row]
        left = exact.T @ (exact * weight[:, None]) + L2 * np.eye(RANK)
        right = exact.T @ (weight * (table[row] > 0))
        np.testing.assert_allclose(customers[row], np.linalg.solve(left, right), atol=2e-5)


def test_a_new_customer_is_served_as_a_known_one_with_the_same_purchases(counts: sparse.csr_array) -> None:
    vectors = factorise(counts, RANK, L2, ALPHA, 4, seed=1)
    row = int(np.argmax(counts[:, 0::2].sum(axis=1)))
    alone = fold_in(counts[[row]], vectors, L2, ALPHA)
    np.testing.assert_allclose(alone[0], fold_in(counts, vectors, L2, ALPHA)[row], atol=1e-6)
    scores = alone[0] @ vectors.T
    assert scores[0::2].mean() > scores[1::2].mean()  # taste of the even


def test_small_batches_and_rows_cut_into_parts_change_nothing(
    counts: sparse.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = factorise(counts, RANK, L2, ALPHA, 3, seed=0)
    monkeypatch.setattr(factorisation, "CELLS", 4 * RANK)  # four products of one row at once
    np.testing.assert_allclose(factorise(counts, RANK, L2, ALPHA, 3, seed=0), whole, atol=1e-5)


def test_the_seed_decides_the_vectors(counts: sparse.csr_array) -> None:
    first = factorise(counts, RANK, L2, ALPHA, 2, seed=0)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(factorise(counts, RANK, L2, ALPHA, 2, seed=0), first)
    assert not np.allclose(factorise(counts, RANK, L2, ALPHA, 2, seed=1), first, atol=1e-3)


def test_who_bought_nothing_and_what_nobody_bought_have_no_direction(counts: sparse.csr_array) -> None:
    vectors = factorise(counts, RANK, L2, ALPHA, 2, seed=0)
    assert not vectors[3].any()
    assert not fold_in(counts, vectors, L2, ALPHA)[7].any()
    assert np.abs(vectors).sum(axis=1).astype(bool).sum() == 24


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 4)])
def test_no_purchases_at_all_give_zeros(shape: tuple[int, int]) -> None:
    empty = sparse.csr_array(shape)
    vectors = factorise(empty, RANK, L2, ALPHA, 2, seed=0)
    assert vectors.shape == (shape[1], RANK)
    assert not vectors.any()
    assert fold_in(empty, vectors, L2, ALPHA).shape == (shape[0], RANK)


def test_more_dimensions_than_products_are_solved_all_the_same() -> None:
    counts = sparse.csr_array(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    vectors = factorise(counts, 9, L2, ALPHA, 20, seed=0)
    scores = fold_in(counts, vectors, L2, ALPHA) @ vectors.T
    assert vectors.shape == (2, 9)
    assert np.all((scores > 0.5) == (counts.toarray() > 0))


def test_zeros_that_are_written_down_are_no_purchases(counts: sparse.csr_array) -> None:
    table = counts.tocoo()
    written = sparse.csr_array(
        (
            np.concatenate([table.data / 2, table.data / 2, [0.0]]),
            (np.concatenate([table.row, table.row, [7]]), np.concatenate([table.col, table.col, [3]])),
        ),
        shape=counts.shape,
    )
    np.testing.assert_allclose(
        factorise(written, RANK, L2, ALPHA, 2, seed=0), factorise(counts, RANK, L2, ALPHA, 2, seed=0)
    )


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_counts_below_nothing_are_refused(counts: sparse.csr_array, value: float) -> None:
    counts.data[0] = value
    with pytest.raises(ValueError, match="at least 0"):
        factorise(counts, RANK, L2, ALPHA, 1, seed=0)


@pytest.mark.parametrize(("name", "value"), [("rank", 0), ("iterations", 0), ("l2", 0.0), ("alpha", -1.0)])
def test_impossible_settings_are_refused(counts: sparse.csr_array, name: str, value: Any) -> None:
    settings = {"rank": RANK, "l2": L2, "alpha": ALPHA, "iterations": 1, "seed": 0, name: value}
    with pytest.raises(ValueError, match=f"(?i)^.*{name}.* must be"):
        factorise(counts, **settings)


def test_vectors_of_another_catalogue_are_refused(counts: sparse.csr_array) -> None:
    with pytest.raises(ValueError, match="25 products and vectors of 24"):
        fold_in(counts, np.zeros((24, RANK), np.float32), L2, ALPHA)


def test_too_weak_a_penalty_is_named_instead_of_giving_noise() -> None:
    counts = sparse.csr_array(np.full((3, 2), 1e9))
    with pytest.raises(ValueError, match="too small"):
        fold_in(counts, np.ones((2, 3), np.float32), 1e-9, 1.0)


@pytest.mark.filterwarnings("ignore:OpenBLAS")
def test_the_loss_reached_is_that_of_implicit(counts: sparse.csr_array) -> None:
    als = pytest.importorskip("implicit.als")
    model = als.AlternatingLeastSquares(
        factors=RANK,
        regularization=L2,
        alpha=1.0,
        iterations=200,
        use_cg=False,
        num_threads=1,
        random_state=0,
    )
    confidence = sparse.csr_matrix(counts, dtype=np.float32)
    confidence.data = 1 + ALPHA * confidence.data
    model.fit(confidence, show_progress=False)
    vectors = factorise(counts, RANK, L2, ALPHA, 200, seed=0)
    ours = objective(counts, fold_in(counts, vectors, L2, ALPHA), vectors, L2, ALPHA)
    theirs = objective(counts, model.user_factors, model.item_factors, L2, ALPHA)
    assert ours == pytest.approx(theirs, rel=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_finds_the_same_vectors(counts: sparse.csr_array) -> None:
    found = factorise(counts, RANK, L2, ALPHA, 3, seed=0, device="cuda")
    np.testing.assert_allclose(found, factorise(counts, RANK, L2, ALPHA, 3, seed=0), atol=1e-3)
