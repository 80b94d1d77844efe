"""The softmax from a sample agrees with the whole one, in its value and in its gradient."""

import pytest
import torch

from neural.losses import set_loss
from neural.sampling import (
    FEWEST,
    FULL,
    MOST,
    Negatives,
    draw,
    draw_odds,
    sample_size,
    sampled_log_norm,
    sampled_set_loss,
)

QUERIES, PRODUCTS = 6, 400


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits() -> torch.Tensor:
    return 2 * torch.randn(QUERIES, PRODUCTS, generator=noise())


def certain_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Twelve products of every query, by query and product."""
    products = torch.stack([torch.randperm(PRODUCTS, generator=noise(n))[:12] for n in range(QUERIES)])
    return torch.arange(QUERIES).repeat_interleave(12), products.sort(dim=1).values.flatten()


def test_a_sample_is_taken_of_large_catalogues_only() -> None:
    sizes = [sample_size(products) for products in (0, 500, FULL, FULL + 1, 50_000, 1_000_000)]
    assert sizes == [0, 0, 0, (FULL + 1) // 16, 3125, MOST]
    assert sample_size(5000, full=0) == FEWEST


def test_what_sells_is_drawn_more_often_and_what_never_sold_now_and_then() -> None:
    odds = draw_odds(torch.tensor([0, 1, 16]))
    assert float(odds.sum()) == pytest.approx(1)
    assert odds.tolist() == pytest.approx([1 / 12, 1 / 12 + 0.75 / 9, 1 / 12 + 0.75 * 8 / 9])
    assert draw_odds(torch.zeros(4)).tolist() == [0.25] * 4


def test_drawn_products_stand_for_the_whole_catalogue() -> None:
    odds = draw_odds(torch.arange(PRODUCTS))
    sums = torch.stack([draw(odds, 64, noise(n)).log_weight.exp().sum() for n in range(400)])
    assert float(sums.mean()) == pytest.approx(PRODUCTS, rel=0.02)
    found = draw(odds, 5000, noise())
    assert torch.equal(found.product, torch.unique(found.product))
    assert int(found.product.max()) < PRODUCTS


def test_the_same_seed_draws_the_same() -> None:
    odds = draw_odds(torch.arange(PRODUCTS))
    one, other = draw(odds, 64, noise(3)), draw(odds, 64, noise(3))
    assert torch.equal(one.product, other.product)
    assert torch.equal(one.log_weight, other.log_weight)


def test_with_every_product_drawn_once_the_norm_and_the_loss_are_exact() -> None:
    everything = Negatives(torch.arange(PRODUCTS), torch.zeros(PRODUCTS))
    scores, (query, product) = logits().requires_grad_(), certain_pairs()
    certain = scores[query, product]
    norm = sampled_log_norm(scores, everything, certain, query, product, PRODUCTS)
    torch.testing.assert_close(norm, torch.logsumexp(scores, dim=1))

    target = torch.tensor([0, 3, 12, 24, 25, 26, 36, 48, 60])
    weight = torch.arange(1.0, 10.0)
    for given in (None, weight):
        pairs = (query, product, certain)
        loss = sampled_set_loss(scores, everything, pairs, target, PRODUCTS, given)
        whole = set_loss(scores, query[target], product[target], given)
        torch.testing.assert_close(loss, whole)
        (gradient,) = torch.autograd.grad(loss, scores, retain_graph=True)
        (expected,) = torch.autograd.grad(whole, scores, retain_graph=True)
        torch.testing.assert_close(gradient, expected)


def test_a_sample_estimates_the_norm_without_bias_and_better_when_larger() -> None:
    scores, (query, product) = logits(), certain_pairs()
    true = scores.exp().sum(1)
    odds = draw_odds(torch.arange(PRODUCTS))
    error = {}
    for size in (32, 256):
        found = []
        for seed in range(300):
            drawn = draw(odds, size, noise(seed))
            certain = scores[query, product]
            norm = sampled_log_norm(scores[:, drawn.product], drawn, certain, query, product, PRODUCTS)
            found.append(norm.exp() / true)
        ratio = torch.stack(found)
        assert ratio.mean(0).tolist() == pytest.approx([1.0] * QUERIES, abs=0.1)
        error[size] = float(ratio.std(0).mean())
    assert error[256] < error[32] / 2


def test_a_query_whose_every_drawn_product_is_certain_counts_each_once() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0]])
    query, product = torch.zeros(3, dtype=torch.int64), torch.arange(3)
    drawn = Negatives(torch.tensor([0, 2]), torch.tensor([5.0, 5.0]))
    norm = sampled_log_norm(scores[:, drawn.product], drawn, scores[0], query, product, 3)
    torch.testing.assert_close(norm, torch.logsumexp(scores, dim=1))
    loss = sampled_set_loss(scores[:, drawn.product], drawn, (query, product, scores[0]), query[:1], 3)
    assert bool(loss.isfinite())


def test_large_logits_stay_finite() -> None:
    scores = torch.full((1, 3), 300.0)
    drawn = Negatives(torch.tensor([0, 1, 2]), torch.zeros(3))
    pair = torch.zeros(1, dtype=torch.int64)
    norm = sampled_log_norm(scores, drawn, torch.tensor([300.0]), pair, pair, 3)
    assert float(norm) == pytest.approx(300 + torch.log(torch.tensor(3.0)).item())
