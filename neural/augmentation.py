"""Augmentation: a training batch's histories, made a little different each time they are seen.

Only what the encoder reads of the visits changes. The moments asked about, their true answers and what the
head is told of a customer's own purchases stay as they are, so nothing can be learnt that is not true.
Shapes: B customers, T visits, Q queries, L lines (products of all visits).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from handoff.config import TrainingConfig
from neural.data.batches import Batch
from neural.data.history import Bools, Ints, expand
from neural.data.world import Queries, World

WEEK = 7.0
# Columns of `Batch.numbers`: quantity, amount and number of products tell of the visit's content, the
# others of its time.
CONTENT = slice(0, 3)
COUNT, GAP = 2, 3


@dataclass(frozen=True)
class Augmentation:
    """How much of each; 0 draws no random number and changes no bit."""

    crop: float = 0.0
    mask: float = 0.0
    reorder: float = 0.0
    drop: float = 0.0

    @classmethod
    def of(cls, config: TrainingConfig) -> Self:
        return cls(config.augment_crop, config.augment_mask, config.augment_reorder, config.augment_drop)


def crop(
    world: World, queries: Queries, chance: float, rng: np.random.Generator
) -> tuple[Queries, Ints | None]:
    """Let the histories of some customers begin at a later visit than they did.

    Returns the queries that still have a visit before them and the first visit of each of their customers.
    What is asked about a customer before the new beginning is left out of this batch alone.
    """
    if not chance:
        return queries, None
    history = world.history
    customer, row = np.unique(queries.customer, return_inverse=True)  # (B,), (Q,)
    last = history.before(queries.customer, queries.time) - 1  # (Q,)
    newest = np.zeros(len(customer), np.int64)
    np.maximum.at(newest, row, last)
    begin = history.visit_start[customer]
    later = begin + np.floor(rng.random(len(customer)) * (newest - begin + 1)).astype(np.int64)
    first = np.where(rng.random(len(customer)) < chance, later, begin)  # (B,)
    kept = queries.take(np.flatnonzero(last >= first[row]))
    return kept, first  # the newest query of each customer is always kept, so the customers stay the same


def augment(batch: Batch, amounts: Augmentation, rng: np.random.Generator) -> Batch:
    """Reorder, drop and mask within the batch, in this order."""
    if amounts.reorder:
        batch = _reorder(batch, amounts.reorder, rng)
    if amounts.drop:
        batch = _drop(batch, amounts.drop, rng)
    if amounts.mask:
        batch = _mask(batch, amounts.mask, rng)
    return batch


def _reorder(batch: Batch, chance: float, rng: np.random.Generator) -> Batch:
    """Let neighbouring visits less than a week apart change places; the times stay where they are.

    Two visits with a question between them never do: it would be told what comes after it.
    """
    rows, length = batch.kind.shape
    order = np.arange(rows * length).reshape(rows, length)  # (B, T): which visit stands at each place
    asked = np.zeros((rows, length), bool)
    asked[batch.row.numpy(), batch.position.numpy()] = True
    near = np.expm1(batch.numbers[..., GAP].numpy() * 4) < WEEK  # (B, T): to the visit before
    last = np.zeros(rows, np.int64)
    np.maximum.at(last, batch.row.numpy(), batch.position.numpy())
    drawn = rng.random((rows, length)) < chance
    moved = np.zeros(rows, bool)  # a visit moves once
    for place in range(1, length):
        swap = drawn[:, place] & near[:, place] & ~asked[:, place - 1] & ~moved & (place <= last)
        order[swap, place - 1 : place + 1] = order[swap, place - 1 : place + 1][:, ::-1]
        moved = swap
    return _take(batch, order.reshape(-1))


def _take(batch: Batch, order: Ints) -> Batch:
    """Put visit order[i] with all its content at place i."""
    start = batch.bag_start.numpy()
    stop = np.append(start[1:], len(batch.bag))
    _, line = expand(start[order], stop[order])
    size = (stop - start)[order]
    numbers = batch.numbers.numpy().reshape(len(order), -1).copy()
    numbers[:, CONTENT] = numbers[order, CONTENT]
    return replace(
        batch,
        bag=batch.bag[line],
        bag_weight=batch.bag_weight[line],
        bag_start=torch.from_numpy(np.cumsum(size) - size),
        kind=batch.kind.view(-1)[order].view_as(batch.kind),
        numbers=torch.from_numpy(numbers).view_as(batch.numbers),
    )


def _drop(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Leave products out of visits, but never all of one visit."""
    visit = _visit_of_line(batch)  # (L,)
    rank = rng.random(len(visit))
    best = np.zeros(batch.kind.numel())
    np.maximum.at(best, visit, rank)
    return _keep(batch, visit, (rank >= share) | (rank == best[visit]))


def _mask(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Hide what happened at some visits: products, kind, quantity and amount; when it was stays."""
    hidden = rng.random(batch.kind.numel()) < share  # (B * T,)
    visit = _visit_of_line(batch)
    batch = _keep(batch, visit, ~hidden[visit])
    hide = torch.from_numpy(hidden).view_as(batch.kind)
    numbers = batch.numbers.clone()
    numbers[..., CONTENT] = numbers[..., CONTENT].masked_fill(hide[..., None], 0.0)
    return replace(batch, kind=batch.kind.masked_fill(hide, 0), numbers=numbers)


def _visit_of_line(batch: Batch) -> Ints:
    """Which of the B * T places each product belongs to. (L,)"""
    sizes = np.diff(batch.bag_start.numpy(), append=len(batch.bag))
    return np.repeat(np.arange(len(sizes)), sizes)


def _keep(batch: Batch, visit: Ints, kept: Bools) -> Batch:
    """Keep some of the lines; those left of a visit share its weight."""
    before = np.bincount(visit, minlength=batch.kind.numel())
    size = np.bincount(visit[kept], minlength=batch.kind.numel())  # (B * T,)
    weight: npt.NDArray[np.float32] = (1.0 / size[visit[kept]]).astype(np.float32)
    fewer = size != before
    numbers = batch.numbers.numpy().reshape(len(size), -1).copy()
    numbers[fewer, COUNT] = np.log1p(size[fewer]) / 3
    return replace(
        batch,
        bag=batch.bag[torch.from_numpy(kept)],
        bag_weight=torch.from_numpy(weight),
        bag_start=torch.from_numpy(np.cumsum(size) - size),
        numbers=torch.from_numpy(numbers).view_as(batch.numbers),
    )
