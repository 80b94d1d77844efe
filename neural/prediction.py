"""Answers of a model for many queries, batch by batch and without gradients."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from neural.data.batches import in_batches, make_batch
from neural.data.history import Ints
from neural.data.world import Queries, World
from neural.heads import Inputs
from neural.model import Model

BATCH = 256  # customers


def device_of(model: Model) -> torch.device:
    return model.row.device


def to_device(values: Inputs, device: torch.device) -> Inputs:
    if device.type == "cpu":
        return values
    return {name: value.pin_memory().to(device, non_blocking=True) for name, value in values.items()}


def answers(
    model: Model, world: World, queries: Queries, inputs: Callable[[Queries], Inputs]
) -> Iterator[tuple[Ints, Queries, npt.NDArray[Any]]]:
    """Yield (indices, queries, answer as float32 array) for batches of the queries."""
    device = device_of(model)
    model.eval()
    with torch.inference_mode():
        for index, part in in_batches(world, queries, BATCH):
            answer = model(make_batch(world, part).to(device), to_device(inputs(part), device))
            yield index, part, np.asarray(answer.float().cpu())
