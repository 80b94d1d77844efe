"""Answers of a model for many queries, batch by batch and without gradients."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from neural.data.batches import in_batches, make_batch
from neural.data.history import Ints
from neural.data.world import Queries, World
from neural.heads import Inputs, NextProductHead
from neural.listing import Factors
from neural.model import Model

BATCH, FEWEST = 256, 16  # customers
CELLS = 4_000_000  # of a batch's answer, so that its memory does not grow with the catalogue


def at_once(width: int) -> int:
    """How many customers to ask about together, each of whose answers has `width` numbers.

    >>> [at_once(width) for width in (1, 5_000, 100_000, 1_000_000)]
    [256, 256, 40, 16]
    """
    return max(FEWEST, min(BATCH, CELLS // max(width, 1)))


def device_of(model: Model) -> torch.device:
    return model.row.device


def to_device(values: Inputs, device: torch.device) -> Inputs:
    if device.type == "cpu":
        return values
    return {name: value.pin_memory().to(device, non_blocking=True) for name, value in values.items()}


def answers(
    model: Model, world: World, queries: Queries, inputs: Callable[[Queries], Inputs], width: int = 1
) -> Iterator[tuple[Ints, Queries, npt.NDArray[Any]]]:
    """Yield (indices, queries, answer as float32 array) for batches of the queries; see `at_once`."""
    device = device_of(model)
    model.eval()
    with torch.inference_mode():
        for index, part in in_batches(world, queries, at_once(width)):
            answer = model(make_batch(world, part).to(device), to_device(inputs(part), device))
            yield index, part, np.asarray(answer.float().cpu())


def factors(
    model: Model, world: World, queries: Queries, inputs: Callable[[Queries], Inputs], width: int = 1
) -> Iterator[tuple[Ints, Queries, Factors]]:
    """Yield (indices, queries, factors of all logits): no row of the catalogue; `width` as for `answers`.

    Raises TypeError where the model's head has none.
    """
    device, head = device_of(model), model.head
    if not isinstance(head, NextProductHead):
        raise TypeError(f"{type(head).__name__} has no factors.")
    model.eval()
    with torch.inference_mode():
        products = model.encoder.products(model.row, model.category, model.price, model.text)  # (P, D)
        for index, part in in_batches(world, queries, at_once(width)):
            batch = make_batch(world, part).to(device)
            state = model.encoder.at_queries(batch, products)
            given = to_device(inputs(part), device)
            yield index, part, head.factors(state, batch, products, model.row, given)
