"""How weights are stored: as they are, as bfloat16, or as 8-bit integers with a scale for each row.

A model computes in float32 whatever its weights were stored in; what is gained is the size of the file.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]

SCALE = "::scale"  # follows the name of an 8-bit tensor
STEPS = 127  # of each sign


def pack(weights: Mapping[str, Tensor], export: str) -> Weights:
    """Return what is written for `export` "fp32", "bf16" or "int8"; whole numbers stay as they are.

    8 bits: symmetric, one scale for each row (output channel), for tensors of two dimensions and more.
    """
    stored: Weights = {}
    for name, value in weights.items():
        value = value.detach().cpu().contiguous()
        if not value.is_floating_point() or export == "fp32":
            stored[name] = value
        elif export == "bf16":
            stored[name] = value.to(torch.bfloat16)
        elif value.ndim < 2:
            stored[name] = value
        else:
            rows = value.reshape(len(value), -1)  # (R, …)
            scale = rows.abs().amax(dim=1).clamp_min(1e-12) / STEPS  # (R,)
            stored[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(value.shape)
            stored[name + SCALE] = scale
    return stored


def unpack(stored: Mapping[str, Tensor]) -> Weights:
    """Return float32 weights from what `pack` wrote."""
    weights: Weights = {}
    for name, value in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        if scale is not None:
            value = value.float() * scale.reshape(-1, *[1] * (value.ndim - 1))
        weights[name] = value.float() if value.is_floating_point() else value
    return weights


def round_weights(model: nn.Module, export: str) -> None:
    """Give a model the weights that it will have when it is loaded again, so that they are what is tested."""
    if export != "fp32":
        model.load_state_dict(unpack(pack(model.state_dict(), export)))


def stored_bytes(weights: Mapping[str, Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in weights.values())
