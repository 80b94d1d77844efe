"""Every backbone is causal: what happens later changes no earlier state."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from handoff.config import BACKBONES, TrainingConfig
from handoff.dataset import Dataset
from neural.data.batches import make_batch
from neural.data.world import training_world
from neural.encoder import BACKBONES as BUILDERS
from neural.encoder import Shape
from neural.heads import survival_loss
from neural.losses import set_loss
from neural.model import Model, shape_of
from neural.tasks.next_product import NextProduct
from tests.neural.shop import NEXT_PRODUCT


def shape(backbone: str) -> Shape:
    return Shape(backbone, 16, 2, 2, 0.0, 32, products=5, kinds=2, categories=1, facts=0)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_keeps_the_shape_and_sees_nothing_later(backbone: str) -> None:
    torch.manual_seed(0)
    module = BUILDERS[backbone](shape(backbone)).eval()
    x = torch.randn(3, 20, 16)
    changed = x.clone()
    changed[:, 12:] = torch.randn(3, 8, 16)
    with torch.no_grad():
        before, after = module(x), module(changed)
    assert before.shape == (3, 20, 16)
    assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_reads_the_past(backbone: str) -> None:
    torch.manual_seed(0)
    module = BUILDERS[backbone](shape(backbone)).eval()
    x = torch.randn(1, 6, 16)
    changed = x.clone()
    changed[:, 3, 0] += 1
    with torch.no_grad():
        assert not torch.allclose(module(x)[:, 5], module(changed)[:, 5])


def test_padding_of_a_longer_neighbour_changes_no_answer(
    shop: Dataset, configure: Callable[..., TrainingConfig]
) -> None:
    world = training_world(configure(NEXT_PRODUCT), shop, train_end=18600.0, cuts=(18600.0,))
    task = NextProduct(world)
    torch.manual_seed(0)
    size = shape_of(world, calendar=True)
    model = Model(size, task.head(size), world.vocabulary).eval()
    queries = world.with_history(18600.0)
    pair = queries.take(torch.tensor([0, 1]).numpy())
    alone = queries.take(torch.tensor([0]).numpy())
    with torch.no_grad():
        both = model(make_batch(world, pair), task.inputs(pair))
        one = model(make_batch(world, alone), task.inputs(alone))
    torch.testing.assert_close(both[:1], one)


def test_set_loss_is_the_mean_log_share_of_the_true_products() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    query, product = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 0])
    second = -torch.log_softmax(logits[1], 0)[0]
    expected = (torch.log(torch.tensor(4.0)) + second) / 2
    torch.testing.assert_close(set_loss(logits, query, product), expected)


def test_survival_loss_counts_the_observed_weeks_only() -> None:
    logits = torch.zeros(2, 3)  # every hazard is a half
    event, last = torch.tensor([1, -1]), torch.tensor([2, 1])  # bought in week 1; censored after week 0
    expected = (2 + 1) / 2 * torch.log(torch.tensor(2.0))
    torch.testing.assert_close(survival_loss(logits, event, last), expected)


def test_shape_round_trips(shop: Dataset, configure: Callable[..., TrainingConfig]) -> None:
    config = configure(NEXT_PRODUCT)
    world = training_world(config, shop, train_end=18600.0, cuts=(18600.0,))
    assert shape_of(world, calendar=False) == replace(shape_of(world, calendar=True), calendar=False)
