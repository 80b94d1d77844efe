"""A pruned encoder is a smaller one that answers as the whole did without what was taken out."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from handoff.errors import HandoffError
from neural.compression.pruning import Cut, Worth, check_cut, measure_worth, prune
from neural.compression.storage import pack, stored_bytes, unpack
from neural.encoder import Encoder, Shape

PRUNABLE = ("cnn", "rnn", "transformer")


def encoder(backbone: str, layers: int = 2) -> Encoder:
    torch.manual_seed(0)
    shape = Shape(backbone, 16, layers, 4, 0.0, 32, products=5, kinds=2, categories=1, facts=0)
    return Encoder(shape).eval()


def answer(model: Encoder, x: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model.backbone(x)
    return result


def silence(model: Encoder, unit: int) -> None:
    """Make one unit of every layer say nothing, whatever it hears."""
    for name, value in model.backbone.named_parameters():
        with torch.no_grad():
            if "convolutions" in name:
                value.view(2, 16, -1)[0, unit] = 0
            elif "down.weight" in name:
                value[:, unit] = 0
            elif "gru" in name:  # a candidate and a past of zero stay zero
                value.view(3, 16, -1)[:, unit] = 0


def worth_of(model: Encoder, *, worst: int, heads: bool) -> list[Worth]:
    units = {"transformer": 32}.get(model.shape.backbone, 16)
    value = torch.ones(units)
    value[worst] = 0
    return [Worth(torch.tensor([1.0, 1, 0, 1]) if heads else None, value)] * model.shape.layers


@pytest.mark.parametrize("backbone", PRUNABLE)
def test_taking_out_a_silent_unit_changes_no_answer(backbone: str) -> None:
    whole = encoder(backbone)
    silence(whole, 5)
    worth = worth_of(whole, worst=5, heads=backbone == "transformer")
    units = len(worth[0].units)
    smaller = prune(whole, worth, Cut(units=1.01 / units))
    assert smaller.shape.units == units - 1
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in whole.parameters())
    x = torch.randn(3, 9, 16)
    torch.testing.assert_close(answer(smaller.eval(), x), answer(whole, x))


def test_taking_out_a_silent_head_changes_no_answer() -> None:
    whole = encoder("transformer")
    for name, value in whole.backbone.named_parameters():
        if "out.weight" in name:
            with torch.no_grad():
                value.view(16, 4, 4)[:, 2] = 0
    smaller = prune(whole, worth_of(whole, worst=0, heads=True), Cut(heads=0.25))
    assert (smaller.shape.heads, smaller.shape.head_width) == (3, 4)
    x = torch.randn(3, 9, 16)
    torch.testing.assert_close(answer(smaller.eval(), x), answer(whole, x))


@pytest.mark.parametrize("backbone", PRUNABLE)
def test_a_pruned_encoder_is_pruned_again_and_loads_into_its_shape(backbone: str) -> None:
    model = encoder(backbone)
    for units in (16, 8) if backbone == "transformer" else (8, 4):
        count = model.shape.units or {"transformer": 32}.get(backbone, 16)
        heads = torch.arange(4.0) if backbone == "transformer" else None
        model = prune(model, [Worth(heads, torch.arange(float(count)))] * 2, Cut(units=0.5))
        assert model.shape.units == units
    again = Encoder(model.shape)
    again.load_state_dict(model.state_dict())
    x = torch.randn(2, 5, 16)
    assert torch.equal(answer(again.eval(), x), answer(model.eval(), x))
    places = [
        value for name, value in model.state_dict().items() if name.endswith("place") and value.ndim == 1
    ]
    assert all(value.tolist() == [12, 13, 14, 15] for value in places)


def test_the_least_useful_block_of_a_transformer_goes() -> None:
    whole = encoder("transformer", layers=3)
    worth = [Worth(torch.ones(4), torch.full((32,), value)) for value in (3.0, 1.0, 2.0)]
    smaller = prune(whole, worth, Cut(layers=1))
    for kept, was in ((0, 0), (1, 2)):
        assert torch.equal(
            smaller.state_dict()[f"backbone.blocks.{kept}.qkv.weight"],
            whole.state_dict()[f"backbone.blocks.{was}.qkv.weight"],
        )


def test_the_top_layer_of_a_recurrent_encoder_goes_whatever_it_is_worth() -> None:
    whole = encoder("rnn")
    smaller = prune(whole, [Worth(None, torch.zeros(16)), Worth(None, torch.ones(16))], Cut(layers=1))
    assert torch.equal(
        smaller.state_dict()["backbone.gru.weight_hh_l0"], whole.state_dict()["backbone.gru.weight_hh_l0"]
    )
    assert smaller.shape.layers == 1


def test_worth_is_the_square_of_gradient_times_weight() -> None:
    whole = encoder("transformer", layers=1)
    x = torch.randn(2, 4, 16)
    worth = measure_worth(whole, [whole.backbone(x).square().sum()])
    whole.backbone(x).square().sum().backward()
    state = dict(whole.backbone.named_parameters())
    down = state["blocks.0.down.weight"]
    gate = state["blocks.0.gate.weight"]
    assert down.grad is not None
    assert gate.grad is not None
    by_hand = (down.grad * down).square()[:, 7].sum()
    by_hand = by_hand + (gate.grad * gate).square()[[7, 32 + 7]].sum()
    torch.testing.assert_close(worth[0].units[7], by_hand.detach())


@pytest.mark.parametrize(
    ("backbone", "cut", "words"),
    [
        ("mf", Cut(units=0.5), "The backbone mf has no layers"),
        ("cnn", Cut(heads=0.5), "prune_heads is 0.5; the backbone cnn has no heads"),
        ("rnn", Cut(layers=2), "prune_layers is 2; of 2 layers at most 1 may go"),
    ],
)
def test_what_cannot_be_pruned_is_refused(backbone: str, cut: Cut, words: str) -> None:
    with pytest.raises(HandoffError, match=words):
        check_cut(replace(encoder("cnn").shape, backbone=backbone), cut)


def test_eight_bits_are_off_by_half_a_step_at_most_and_take_a_quarter() -> None:
    torch.manual_seed(0)
    weights = {"matrix": torch.randn(64, 32), "bias": torch.randn(64), "place": torch.arange(3)}
    stored = pack(weights, "int8")
    loaded = unpack(stored)
    step = weights["matrix"].abs().amax(dim=1, keepdim=True) / 127
    assert bool(((loaded["matrix"] - weights["matrix"]).abs() <= step / 2 + 1e-7).all())
    assert torch.equal(loaded["bias"], weights["bias"])
    assert torch.equal(loaded["place"], weights["place"])
    assert stored_bytes(stored) == 64 * 32 + 64 * 4 + 64 * 4 + 3 * 8


def test_what_was_rounded_once_is_stored_exactly() -> None:
    torch.manual_seed(0)
    for export in ("bf16", "int8"):
        once = unpack(pack({"matrix": torch.randn(8, 8)}, export))
        assert torch.equal(unpack(pack(once, export))["matrix"], once["matrix"])
