"""Structured pruning: whole attention heads, units and layers leave the encoder, the least useful first.

What a group of weights is worth is estimated by the first-order change of the loss without it, the sum of
(gradient x weight)^2 over the group and some batches: Molchanov et al. 2019, "Importance Estimation for
Neural Network Pruning". Fewer and smaller matrices make the model smaller and faster on any machine, which
zeros inside of matrices do not.

Shapes: D width, H heads, W width of a head, U units of a layer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from neural.encoder import Encoder, Shape
from neural.lessons import EventLessons
from neural.model import Model

BATCHES = 20  # on which worth is estimated

Weights = dict[str, Tensor]
Kept = tuple[Tensor | None, Tensor]  # indices of one layer's heads, where it has any, and units


@dataclass(frozen=True)
class Cut:
    """How much is to go: shares of the heads and of the units of every layer, and whole layers."""

    heads: float = 0.0
    units: float = 0.0
    layers: int = 0

    @classmethod
    def of(cls, config: TrainingConfig) -> Self:
        return cls(config.prune_heads, config.prune_channels, config.prune_layers)

    def __bool__(self) -> bool:
        return bool(self.heads or self.units or self.layers)


@dataclass(frozen=True)
class Worth:
    """What one layer's parts are worth; heads (H,) or None where the backbone has none, units (U,)."""

    heads: Tensor | None
    units: Tensor

    @property
    def total(self) -> float:
        return float(self.units.sum()) + (0.0 if self.heads is None else float(self.heads.sum()))


def check_cut(shape: Shape, cut: Cut) -> None:
    """Raise HandoffError for what the backbone does not have, or cannot spare."""
    if cut and shape.backbone == "mf":
        raise HandoffError("The backbone mf has no layers: there is nothing to prune. Export it as int8.")
    if cut.heads and shape.backbone != "transformer":
        raise HandoffError(
            f"prune_heads is {cut.heads}; the backbone {shape.backbone} has no heads, so set it to 0."
        )
    if cut.layers >= shape.layers and cut.layers:
        raise HandoffError(
            f"prune_layers is {cut.layers}; of {shape.layers} layers at most {shape.layers - 1} may go."
        )


def estimate_worth(model: Model, lessons: EventLessons, config: TrainingConfig) -> list[Worth]:
    """Estimate what each layer's parts are worth from some training batches; the same for the same run."""
    rng = np.random.default_rng((config.seed, *b"worth"))
    torch.manual_seed(config.seed)
    batches = lessons.epoch(rng)[:BATCHES]
    model.train()  # cuDNN has no gradients of recurrent layers otherwise
    return measure_worth(model.encoder, (lessons.loss(model, batch, rng) for batch in batches))


def measure_worth(encoder: Encoder, losses: Iterable[Tensor]) -> list[Worth]:
    """Estimate what each layer's parts are worth from the losses of some batches.

    `losses` are made one after the other with the encoder's present weights, each with its graph.
    """
    total: list[Worth] | None = None
    for loss in losses:
        encoder.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        found = _worth(encoder)
        total = found if total is None else [_sum(a, b) for a, b in zip(total, found, strict=True)]
    encoder.zero_grad(set_to_none=True)
    if total is None:
        raise HandoffError("There is no training batch to measure what may be pruned.")
    return total


def prune(encoder: Encoder, worth: list[Worth], cut: Cut) -> Encoder:
    """Return a smaller encoder with the most useful parts of this one's weights."""
    shape = encoder.shape
    check_cut(shape, cut)
    kept = [_kept(part, cut) for part in worth]
    layers = _kept_layers(shape, worth, cut.layers)
    heads, units = kept[0]
    smaller = Encoder(
        replace(
            shape,
            layers=len(layers),
            heads=shape.heads if heads is None else len(heads),
            head_width=shape.head_width or shape.width // shape.heads,
            units=len(units),
        )
    )
    own = encoder.backbone.state_dict()
    backbone = PRUNERS[shape.backbone](own, shape, kept, layers)
    others = {name: value for name, value in encoder.state_dict().items() if not name.startswith("backbone.")}
    smaller.load_state_dict({**others, **{f"backbone.{name}": value for name, value in backbone.items()}})
    return smaller.to(others["numbers.weight"].device)


def _kept(worth: Worth, cut: Cut) -> Kept:
    """Indices of the heads and of the units of one layer that stay, in their order."""
    heads = None if worth.heads is None else _best(worth.heads, cut.heads)
    return heads, _best(worth.units, cut.units)


def _best(worth: Tensor, share: float) -> Tensor:
    count = max(1, len(worth) - int(share * len(worth) + 1e-9))
    return worth.argsort(descending=True, stable=True)[:count].sort().values


def _kept_layers(shape: Shape, worth: list[Worth], removed: int) -> list[int]:
    """A transformer's blocks go by their worth; elsewhere a layer reads the one below, so the top ones go."""
    everyone = list(range(shape.layers))
    if shape.backbone != "transformer":
        return everyone[: shape.layers - removed]
    gone = sorted(everyone, key=lambda layer: worth[layer].total)[:removed]
    return [layer for layer in everyone if layer not in gone]


def _worth(encoder: Encoder) -> list[Worth]:
    change = {
        name.removeprefix("backbone."): (parameter.grad * parameter.detach()).float().square()
        for name, parameter in encoder.named_parameters()
        if name.startswith("backbone.") and parameter.grad is not None
    }
    shape = encoder.shape
    of = {"transformer": _transformer_worth, "cnn": _convolution_worth, "rnn": _recurrent_worth}
    return [of[shape.backbone](change, layer, shape) for layer in range(shape.layers)]


def _transformer_worth(change: Weights, layer: int, shape: Shape) -> Worth:
    heads = _per_part(change[f"blocks.{layer}.qkv.weight"], 3 * shape.heads).view(3, -1).sum(dim=0)
    heads = heads + _per_part(change[f"blocks.{layer}.out.weight"].T, shape.heads)
    down = change[f"blocks.{layer}.down.weight"]  # (D, U)
    units = down.sum(dim=0) + _stacked(change[f"blocks.{layer}.gate.weight"], 2)
    return Worth(heads, units)


def _convolution_worth(change: Weights, layer: int, shape: Shape) -> Worth:
    return Worth(None, _stacked(change[f"convolutions.{layer}.weight"], 2))


def _recurrent_worth(change: Weights, layer: int, shape: Shape) -> Worth:
    of_input, of_past = (change[f"gru.{name}_l{layer}"] for name in ("weight_ih", "weight_hh"))
    return Worth(None, _stacked(of_input, 3) + _stacked(of_past, 3))


def _per_part(change: Tensor, parts: int) -> Tensor:
    """Sum over each of `parts` equal runs of rows: (parts * R, …) -> (parts,)"""
    return change.reshape(parts, -1).sum(dim=1)


def _stacked(change: Tensor, count: int) -> Tensor:
    """Sum over what belongs to each unit of `count` stacked parts: (count * U, …) -> (U,)"""
    return change.reshape(count, len(change) // count, -1).sum(dim=(0, 2))


def _sum(a: Worth, b: Worth) -> Worth:
    heads = None if a.heads is None or b.heads is None else a.heads + b.heads
    return Worth(heads, a.units + b.units)


def _prune_transformer(state: Weights, shape: Shape, kept: list[Kept], layers: list[int]) -> Weights:
    found = {"place": state["place"]}
    for number, layer in enumerate(layers):
        head, unit = kept[layer]
        for name, value in _below(state, f"blocks.{layer}.").items():
            if head is not None and name == "qkv.weight":  # (3 * H * W, D)
                value = value.view(3, shape.heads, -1, shape.width)[:, head].reshape(-1, shape.width)
            elif head is not None and name == "out.weight":  # (D, H * W)
                value = value.view(shape.width, shape.heads, -1)[:, head].reshape(shape.width, -1)
            elif name in ("gate.weight", "gate.bias"):  # (2U, …)
                value = _chunks(value, 2, unit)
            elif name == "down.weight":  # (D, U)
                value = value[:, unit]
            found[f"blocks.{number}.{name}"] = value.contiguous()
    return found


def _prune_convolutions(state: Weights, shape: Shape, kept: list[Kept], layers: list[int]) -> Weights:
    found: Weights = {}
    for layer in layers:
        unit = kept[layer][1]
        found |= {f"norms.{layer}.{name}": value for name, value in _below(state, f"norms.{layer}.").items()}
        for name, value in _below(state, f"convolutions.{layer}.").items():  # (2U, …)
            found[f"convolutions.{layer}.{name}"] = _chunks(value, 2, unit)
        found |= _places(state, f"add.{layer}.place", unit, shape.width)
    return found


def _prune_recurrent(state: Weights, shape: Shape, kept: list[Kept], layers: list[int]) -> Weights:
    found: Weights = {}
    for layer in layers:
        unit = kept[layer][1]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            value = _chunks(state[f"gru.{name}_l{layer}"], 3, unit)  # (3U, …)
            if name == "weight_hh":
                value = value[:, unit]
            elif name == "weight_ih" and layer:
                value = value[:, kept[layer - 1][1]]
            found[f"gru.{name}_l{layer}"] = value.contiguous()
    return found | _places(state, "add.place", kept[layers[-1]][1], shape.width)


def _places(state: Weights, name: str, unit: Tensor, width: int) -> Weights:
    """Where the units that stay are added to the stream; nothing where all of its places are reached."""
    before = state.get(name)
    places = unit if before is None else before[unit]
    return {} if len(places) == width else {name: places.clone()}


def _chunks(value: Tensor, count: int, unit: Tensor) -> Tensor:
    """Keep the units of each of `count` stacked parts: (count * U, …) -> (count * U', …)"""
    parts = value.view(count, -1, *value.shape[1:])[:, unit]
    return parts.reshape(-1, *value.shape[1:]).contiguous()


def _below(state: Weights, prefix: str) -> Weights:
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


PRUNERS = {"transformer": _prune_transformer, "cnn": _prune_convolutions, "rnn": _prune_recurrent}
