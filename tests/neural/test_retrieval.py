"""The best products of many queries: the same lists as by sorting everything."""

import numpy as np
import pytest
import torch

from neural.evaluation.ranking import top_lists
from neural.retrieval import ExactIndex, Found, Pairs, exact_top_k, make_index
from neural.retrieval import index as indexes

BLOCKS = [(256, 4096), (7, 64), (3, 33), (1, 1)]


def whole(values: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Small whole numbers: products of vectors are exact in any order, and many are equal."""
    rng = np.random.default_rng(3)
    queries, products = (rng.integers(-values, values, (n, 4)).astype(np.float32) for n in (20, 150))
    return torch.from_numpy(queries), torch.from_numpy(products)


def some_pairs(queries: int, products: int) -> Pairs:
    """Every query has some; one takes a product off its list."""
    rng = np.random.default_rng(5)
    cells = np.sort(rng.choice(queries * products, 200, replace=False))
    bonus = rng.integers(-40, 40, 200).astype(np.float32)
    bonus[::9] = -np.inf
    return Pairs(*(torch.from_numpy(each) for each in (cells // products, cells % products, bonus)))


def by_sorting(scores: torch.Tensor, k: int) -> list[list[int]]:
    lists = np.full((len(scores), k), -1)
    found = top_lists(scores.numpy(), k)
    lists[:, : found.shape[1]] = found
    rows: list[list[int]] = lists.tolist()
    return rows


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("k", [1, 20, 149, 200])
def test_the_lists_are_those_of_sorting_everything_with_ties_in_their_order(
    block: tuple[int, int], k: int
) -> None:
    queries, products = whole()
    found = exact_top_k(queries, products, k, block=block)
    scores = queries @ products.T
    assert found.products.tolist() == by_sorting(scores, k)
    listed = found.products >= 0
    assert torch.equal(found.scores[listed], scores.gather(1, found.products.clamp(min=0))[listed])
    assert found.scores[~listed].isneginf().all()
    assert found.log_norm is None


@pytest.mark.parametrize("block", BLOCKS)
def test_pairs_move_products_up_down_and_off_the_list(block: tuple[int, int]) -> None:
    queries, products = whole()
    pairs = some_pairs(20, 150)
    found = exact_top_k(queries, products, 30, pairs=pairs, normalise=True, block=block)
    scores = queries @ products.T
    scores[pairs.query, pairs.product] += pairs.bonus
    assert found.products.tolist() == by_sorting(scores, 30)
    assert found.log_norm is not None
    torch.testing.assert_close(found.log_norm, torch.logsumexp(scores, dim=1))


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("kept", [0, 5, 60])
def test_only_what_is_allowed_is_listed_and_counts_in_the_norm(block: tuple[int, int], kept: int) -> None:
    queries, products = whole()
    allowed = torch.zeros(150, dtype=torch.bool)
    allowed[np.random.default_rng(1).choice(150, kept, replace=False)] = True
    pairs = some_pairs(20, 150)
    found = exact_top_k(queries, products, 10, pairs=pairs, allowed=allowed, normalise=True, block=block)
    scores = queries @ products.T
    scores[pairs.query, pairs.product] += pairs.bonus
    scores = scores.masked_fill(~allowed, -torch.inf)
    assert found.products.tolist() == by_sorting(scores, 10)
    assert found.log_norm is not None
    torch.testing.assert_close(found.log_norm, torch.logsumexp(scores, dim=1))


def test_all_equal_scores_list_the_first_products() -> None:
    found = exact_top_k(torch.ones(3, 2), torch.ones(500, 2), 4, block=(2, 64))
    assert found.products.tolist() == [[0, 1, 2, 3]] * 3


def test_nobody_asked_and_nothing_sold_are_no_error() -> None:
    assert exact_top_k(torch.ones(0, 2), torch.ones(5, 2), 4).products.shape == (0, 4)
    found = exact_top_k(torch.ones(2, 2), torch.ones(0, 2), 4, normalise=True)
    assert found.products.tolist() == [[-1] * 4] * 2
    assert found.log_norm is not None
    assert found.log_norm.isneginf().all()


def test_no_more_scores_than_those_of_one_block_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    multiply = torch.mm

    def watched(one: torch.Tensor, other: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, len(one) * other.shape[1])
        return multiply(one, other, **more)

    monkeypatch.setattr(torch, "mm", watched)
    queries, products = whole()
    exact_top_k(queries, products, 5, block=(8, 32))
    assert largest == 8 * 32


def clustered(products: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors in clumps, as learnt ones are."""
    noise = torch.Generator().manual_seed(seed)
    centres = torch.randn(50, 16, generator=noise)
    place = torch.randint(50, (products,), generator=noise)
    vectors = centres[place] + 0.5 * torch.randn(products, 16, generator=noise)
    queries = centres[torch.arange(40)] + 0.5 * torch.randn(40, 16, generator=noise)
    return queries, vectors


def recall(found: Found, exact: Found) -> float:
    rows = zip(found.products.tolist(), exact.products.tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / len(other) for one, other in rows]))


def test_cells_find_nearly_all_and_keep_every_rule() -> None:
    pytest.importorskip("faiss")
    queries, products = clustered(8000)
    allowed = torch.arange(8000) % 3 > 0
    pairs = some_pairs(40, 8000)
    cells, exact = indexes.CellIndex(products, allowed, share=0.3), ExactIndex(products, allowed)
    for asked in (None, pairs):
        found, wanted = cells.search(queries, 20, asked), exact.search(queries, 20, asked)
        assert recall(found, wanted) > 0.9
        assert bool(allowed[found.products[found.products >= 0]].all())
        top = found.products[:, 0] == wanted.products[:, 0]
        torch.testing.assert_close(found.scores[top, 0], wanted.scores[top, 0])
    raised = pairs.take((pairs.bonus > 35) & allowed[pairs.product])
    lists = cells.search(queries, 20, pairs).products
    assert bool((lists[raised.query] == raised.product[:, None]).any(dim=1).all())
    off = pairs.take(pairs.bonus.isneginf())
    assert not bool((lists[off.query] == off.product[:, None]).any())


def test_looking_into_every_cell_is_exact() -> None:
    pytest.importorskip("faiss")
    queries, products = clustered(3000)
    found = indexes.CellIndex(products, share=1.0).search(queries, 10)
    assert recall(found, ExactIndex(products).search(queries, 10)) == 1.0


def test_few_allowed_products_give_short_lists() -> None:
    pytest.importorskip("faiss")
    queries, products = clustered(100)
    allowed = torch.arange(100) < 3
    found = indexes.CellIndex(products, allowed).search(queries, 5, some_pairs(40, 100))
    assert found.products.shape == (40, 5)
    assert bool((found.products[:, 3:] == -1).all())


def test_cells_are_chosen_for_many_allowed_products_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(indexes, "ENOUGH", 2000)
    _, products = clustered(3000)
    assert isinstance(make_index(products), indexes.CellIndex)
    assert isinstance(make_index(products, torch.arange(3000) < 1500), ExactIndex)
    monkeypatch.setattr(indexes, "find_spec", lambda name: None)
    assert isinstance(make_index(products), ExactIndex)
