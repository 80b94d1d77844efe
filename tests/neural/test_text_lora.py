"""What of a text model learns: layers, adapters, and nothing else."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from handoff.errors import HandoffError
from neural.lessons import trainable
from neural.text.lora import Lora, merge, prepare_training
from neural.text.pretrained import load_encoder
from tests.neural.texts import make_model

WIDTH, LAYERS = 32, 2
# Attention: four matrices; feed-forward 32 -> 64 -> 32; two norms.
LAYER = 4 * (WIDTH * WIDTH + WIDTH) + 2 * 64 * WIDTH + 64 + WIDTH + 2 * 2 * WIDTH


@pytest.fixture
def encoder(tmp_path: Path) -> PreTrainedModel:
    model = load_encoder(make_model(tmp_path / "tiny", width=WIDTH, layers=LAYERS))
    model.train(False)
    return model


def hidden(encoder: nn.Module) -> Tensor:
    ids = torch.arange(5, 15).view(2, 5)
    result: Tensor = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return result


@pytest.mark.parametrize(("frozen", "learning"), [(0, 2 * LAYER), (1, LAYER), (2, 0)])
def test_frozen_layers_and_word_vectors_do_not_learn(
    encoder: PreTrainedModel, frozen: int, learning: int
) -> None:
    prepare_training(encoder, frozen, 0)
    assert trainable(encoder) == learning
    assert not encoder.get_input_embeddings().weight.requires_grad


@pytest.mark.parametrize(("frozen", "rank"), [(0, 1), (0, 4), (1, 4)])
def test_adapters_alone_learn(encoder: PreTrainedModel, frozen: int, rank: int) -> None:
    prepare_training(encoder, frozen, rank)
    assert trainable(encoder) == (LAYERS - frozen) * 2 * rank * (WIDTH + WIDTH)
    assert sum(isinstance(module, Lora) for module in encoder.modules()) == (LAYERS - frozen) * 2


def test_adapters_change_nothing_at_first(encoder: PreTrainedModel) -> None:
    before = hidden(encoder)
    prepare_training(encoder, 0, 4)
    assert torch.equal(hidden(encoder), before)


def test_merged_adapters_answer_as_before_and_leave_the_plain_architecture(encoder: PreTrainedModel) -> None:
    names = set(encoder.state_dict())
    plain = hidden(encoder)
    prepare_training(encoder, 0, 4)
    torch.manual_seed(0)
    for module in encoder.modules():
        if isinstance(module, Lora):
            nn.init.normal_(module.b, std=0.1)
    adapted = hidden(encoder)
    assert (adapted - plain).abs().max() > 0.01
    merge(encoder)
    assert set(encoder.state_dict()) == names
    assert (hidden(encoder) - adapted).abs().max() < 1e-5


def test_a_step_moves_the_adapters_alone(encoder: PreTrainedModel) -> None:
    prepare_training(encoder, 1, 2)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
    hidden(encoder).square().mean().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    moved = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    adapters = {name for name in before if name.startswith("encoder.layer.1.") and name[-2:] in (".a", ".b")}
    assert len(adapters) == 4
    assert moved == adapters  # weight decay moves a, whose gradient is zero as long as b is


def test_more_frozen_layers_than_there_are_is_an_error(encoder: PreTrainedModel) -> None:
    with pytest.raises(HandoffError, match="freeze_layers is 3; the text model has 2 layers"):
        prepare_training(encoder, 3, 0)


def test_a_model_without_layers_cannot_be_fine_tuned() -> None:
    with pytest.raises(HandoffError, match="has no list of layers"):
        prepare_training(nn.Linear(2, 2), 0, 0)
