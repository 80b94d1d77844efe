"""Lessons: what the training loop is given, batch by batch, and how wrong the model is about it.

The loop in `neural.fitting` knows nothing of events or texts. Whoever wants to be fitted by it says how an
epoch falls into batches and what the loss of one batch is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from torch import Tensor, nn

from neural.augmentation import Augmentation, augment, crop
from neural.data.batches import make_batch, split
from neural.data.world import Queries, World
from neural.heads import Inputs
from neural.model import Model
from neural.prediction import device_of, to_device
from neural.tasks.base import Task
from neural.windows import Windows

B = TypeVar("B")


class Lessons(Protocol[B]):
    """The examples of one phase. `B` is a batch in whatever form is cheap to keep for a whole epoch."""

    def epoch(self, rng: np.random.Generator) -> Sequence[B]:
        """Draw and split the examples of one epoch; the same `rng` gives the same batches."""

    def size(self, batch: B) -> int:
        """Number of examples over which `loss` is a mean."""

    def loss(self, model: Any, batch: B, rng: np.random.Generator) -> Tensor:
        """A scalar, on the model's device; `rng` is for augmentation, torch is seeded already."""


class Examples(Protocol):
    """What lessons on a world need of a task."""

    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries: ...
    def inputs(self, queries: Queries) -> Inputs: ...
    def targets(self, queries: Queries, until: float) -> Inputs: ...
    def loss(self, answer: Tensor, targets: Inputs) -> Tensor: ...


@dataclass(frozen=True)
class EventLessons:
    """Questions about customers, in batches of customers with histories of similar length."""

    world: World
    windows: Windows
    task: Examples

    @property
    def until(self) -> float:
        """Where the targets end."""
        return self.windows.validation

    def asked(self, rng: np.random.Generator) -> Queries:
        return self.task.training_queries(self.windows, rng)

    def epoch(self, rng: np.random.Generator) -> list[Queries]:
        queries = self.asked(rng)
        return [
            queries.take(index) for index in split(self.world, queries, self.world.config.batch_size, rng)
        ]

    def size(self, batch: Queries) -> int:
        return len(batch)

    def loss(self, model: Model, batch: Queries, rng: np.random.Generator) -> Tensor:
        """Augmentation changes what the encoder sees, never the moments asked about or their answers."""
        amounts = Augmentation.of(self.world.config)
        queries, first = crop(self.world, batch, amounts.crop, rng)
        device = device_of(model)
        seen = augment(make_batch(self.world, queries, first), amounts, rng).to(device)
        inputs = to_device(self.task.inputs(queries), device)
        targets = to_device(self.task.targets(queries, self.until), device)
        answer: Tensor = model(seen, inputs)
        return self.task.loss(answer.float(), targets)


class LastLessons(EventLessons):
    """What is learnt once the model has been chosen: the days that it was chosen by are held back no more."""

    task: Task

    @property
    def until(self) -> float:
        return self.windows.test

    def asked(self, rng: np.random.Generator) -> Queries:
        return self.task.refitting_queries(self.windows, rng)


def trainable(model: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
