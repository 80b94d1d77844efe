"""Batches: the newest visits of some customers as padded tensors, and the moments asked about."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from neural.data.history import Floats, Ints, expand
from neural.data.world import Queries, World

NUMBERS = 5  # of each visit, see `_visit_numbers`
CALENDAR = 4
QUERY_NUMBERS = 9


@dataclass(frozen=True)
class Batch:
    """B customers, T visits each (padded at the end), Q queries.

    >>> batch.kind.shape, batch.row.shape
    (torch.Size([128, 64]), torch.Size([800]))
    """

    bag: Tensor  # (lines,) int64: products of all visits end to end
    bag_weight: Tensor  # (lines,) float32: 1 / number of products in the visit
    bag_start: Tensor  # (B * T,) int64: where each visit's products begin
    kind: Tensor  # (B, T) int64
    numbers: Tensor  # (B, T, NUMBERS + CALENDAR) float32
    words: Tensor  # (B, W) int64
    facts: Tensor  # (B, 2F) float32
    row: Tensor  # (Q,) int64: the query's customer within the batch
    position: Tensor  # (Q,) int64: the last visit before the query
    query_numbers: Tensor  # (Q, QUERY_NUMBERS) float32

    def to(self, device: torch.device) -> Self:
        if device.type == "cpu":
            return self
        pinned = {item.name: getattr(self, item.name).pin_memory() for item in fields(self)}
        return type(self)(**{name: value.to(device, non_blocking=True) for name, value in pinned.items()})


def make_batch(world: World, queries: Queries, first: Ints | None = None) -> Batch:
    """Gather the newest `max_visits` visits before each customer's latest query.

    Queries must be sorted by customer, and each must have a visit within that window before it.
    `first`, a visit for each different customer, lets histories begin later.
    """
    history = world.history
    customer, row = np.unique(queries.customer, return_inverse=True)
    latest = np.zeros(len(customer))
    np.maximum.at(latest, row, queries.time)
    stop = history.before(customer, latest)
    start = np.maximum(stop - world.config.max_visits, history.visit_start[customer])
    if first is not None:
        start = np.maximum(start, first)
    length = int((stop - start).max(initial=1))

    owner, visit = expand(start, stop)
    place = owner * length + visit - start[owner]  # of the visit in the padded (B, T)
    kind = np.zeros(len(customer) * length, np.int64)
    kind[place] = history.visit_kind[visit]
    numbers = np.zeros((len(kind), NUMBERS + CALENDAR), np.float32)
    numbers[place] = _visit_numbers(world, visit)
    sizes = np.zeros(len(kind), np.int64)
    sizes[place] = history.line_start[visit + 1] - history.line_start[visit]
    line_owner, line = expand(history.line_start[visit], history.line_start[visit + 1])
    weight = 1.0 / sizes[place][line_owner]

    last = history.before(queries.customer, queries.time) - 1
    shape = (len(customer), length)
    return Batch(
        bag=torch.from_numpy(history.line_product[line]),
        bag_weight=torch.from_numpy(weight.astype(np.float32)),
        bag_start=torch.from_numpy(np.cumsum(sizes) - sizes),
        kind=torch.from_numpy(kind.reshape(shape)),
        numbers=torch.from_numpy(numbers.reshape(*shape, -1)),
        words=torch.from_numpy(world.attributes.words[customer]),
        facts=torch.from_numpy(world.attributes.numbers[customer]),
        row=torch.from_numpy(row),
        position=torch.from_numpy(last - start[row]),
        query_numbers=torch.from_numpy(_query_numbers(world, queries, last)),
    )


def in_window(world: World, queries: Queries) -> Queries:
    """Keep the queries whose last visit is among those that `make_batch` will gather."""
    history = world.history
    latest = np.zeros(len(history.customers))
    np.maximum.at(latest, queries.customer, queries.time)
    everyone = np.arange(len(history.customers))
    start = np.maximum(history.before(everyone, latest) - world.config.max_visits, history.visit_start[:-1])
    last = history.before(queries.customer, queries.time) - 1
    return queries.take(np.flatnonzero(last >= start[queries.customer]))


def split(
    world: World, queries: Queries, batch_size: int, rng: np.random.Generator | None = None
) -> list[Ints]:
    """Split queries into batches of `batch_size` customers of similar history length.

    Returns the indices of each batch's queries. With `rng` the customers and the batches are shuffled.
    What a customer does after the last query counts for nothing here either.
    """
    customer, first = np.unique(queries.customer, return_index=True)
    stop = np.append(first[1:], len(queries))
    latest = np.maximum.reduceat(queries.time, first) if len(queries) else queries.time
    visits = world.history.before(customer, latest) - world.history.visit_start[customer]
    length = np.minimum(visits, world.config.max_visits)
    noise = rng.random(len(customer)) if rng is not None else np.zeros(len(customer))
    order = np.lexsort((noise, length))
    chunks = [order[begin : begin + batch_size] for begin in range(0, len(order), batch_size)]
    if rng is not None:
        chunks = [chunks[index] for index in rng.permutation(len(chunks))]
    return [expand(first[np.sort(chunk)], stop[np.sort(chunk)])[1] for chunk in chunks]


def in_batches(world: World, queries: Queries, batch_size: int) -> Iterator[tuple[Ints, Queries]]:
    """Yield (indices, queries) of batches in a fixed order, for prediction."""
    for index in split(world, queries, batch_size):
        yield index, queries.take(index)


def calendar(time: Floats) -> list[Floats]:
    """Season and day of the week as points on circles: 4 columns."""
    year = 2 * np.pi * (time % 365.25) / 365.25
    week = 2 * np.pi * (np.floor(time) % 7) / 7
    return [np.sin(year), np.cos(year), np.sin(week), np.cos(week)]


def _visit_numbers(world: World, visit: Ints) -> Floats:
    """Quantity, amount, number of products, time since the visit before, whether it is the first."""
    history = world.history
    time = history.visit_time[visit]
    begins = history.visit_start[history.visit_customer[visit]] == visit
    gap = np.where(begins, 0.0, time - history.visit_time[np.maximum(visit - 1, 0)])
    amount = history.visit_amount[visit]
    columns = [
        np.log1p(np.abs(history.visit_quantity[visit])) / 4,
        np.sign(amount) * np.log1p(np.abs(amount)) / 4,
        np.log1p(history.line_start[visit + 1] - history.line_start[visit]) / 3,
        np.log1p(gap) / 4,
        begins,
        *calendar(time),
    ]
    return np.stack(columns, axis=1)


def _query_numbers(world: World, queries: Queries, last: Ints) -> np.typing.NDArray[np.float32]:
    """Time since the last visit, since the first, their number, usual gap against it, season, last year."""
    history = world.history
    start = history.visit_start[queries.customer]
    since = queries.time - history.visit_time[last]
    tenure = queries.time - history.visit_time[start]
    gap = (tenure - since) / np.maximum(last - start, 1)
    season = calendar(queries.time)[:2]
    columns = [
        np.log1p(since) / 4,
        np.log1p(tenure) / 6,
        np.log1p(last - start) / 3,
        np.log1p(gap) / 4,
        np.where(gap > 0, np.tanh(np.log(np.maximum(since, 0.5) / np.maximum(gap, 0.5)) / 2), 0.0),
        *season,
        season[0] * season[1],
        queries.time - 365 >= world.start,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
