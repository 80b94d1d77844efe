"""The base class of every task: a third party adds one by subclassing it and naming it in the config."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from torch import Tensor, nn

from handoff.errors import HandoffError
from neural.calibration import Calibration
from neural.data.history import Bools, Floats
from neural.data.said import Said
from neural.data.world import Queries, World
from neural.encoder import Shape
from neural.heads import Inputs
from neural.model import Model
from neural.windows import Windows

Metrics = dict[str, float | None]  # None where the window cannot define the metric


@dataclass(frozen=True)
class Report:
    """Figures of one window: the model's and the baselines', over the same customers."""

    count: int
    model: Metrics
    baselines: dict[str, Metrics]
    curves: dict[str, Any] = field(default_factory=dict)
    examples: pl.DataFrame = field(default_factory=pl.DataFrame)  # the columns of `handoff.predictions`
    sliced_by: str = ""  # the metric, higher is better, that is measured on every slice of the examples


@dataclass(frozen=True)
class Realised:
    """How old scores turned out, over the customers who count."""

    customers: list[str]
    happened: Bools  # what was foretold of each
    metrics: Metrics
    baselines: dict[str, Metrics] = field(default_factory=dict)


class Task(ABC):
    """What is predicted, from which examples, and how well.

    A task is made for one world. `learnt` holds JSON values that training found (scales of features);
    they travel in the artifact and come back when it scores.
    """

    metric: ClassVar[str]  # of `validate`, higher is better: early stopping follows it
    calendar: ClassVar[bool] = True  # whether the encoder's visits carry the season
    classes: ClassVar[bool] = False  # whether the outcomes are classes, of which one may be weighed up
    own_shard_only: ClassVar[bool] = False  # whether scoring a shard reads no other shard's events

    def __init__(self, world: World, learnt: Mapping[str, Any] | None = None) -> None:
        self.world = world
        self.learnt: dict[str, Any] = dict(learnt or {})

    def prepare(self, windows: Windows) -> None:  # noqa: B027  (a task may have nothing to learn here)
        """Fill `learnt` from the training window."""

    def work_out(self, as_of: float) -> None:  # noqa: B027  (a task may ask nothing of others)
        """Work out of everybody what scoring a part of them at `as_of` asks, see `World.worked_out`."""

    def outcome(self, cutoff: float) -> tuple[Queries, Bools] | None:
        """Who is asked about at `cutoff` and what became of them, as yes or no; None where it is neither."""
        return None

    def outcome_facts(self, cutoff: float) -> dict[str, float]:
        """What else an inspection should tell of the window that begins at `cutoff`."""
        return {}

    def population(self, as_of: float) -> Queries:
        """Whom the model has an answer for at `as_of`: the population whose drift is watched."""
        return self.world.with_history(as_of)

    def columns(self, queries: Queries) -> dict[str, Floats]:
        """Numbers of each query that the head reads and whose drift is worth watching, by name."""
        return {}

    def strengths(self, model: Model, calibration: Mapping[str, Any], queries: Queries) -> Floats:
        """The `score` of each query's customer, without the reasons; all queries ask at one moment. (Q,)"""
        names = [self.world.history.customers[number] for number in queries.customer]
        as_of = float(queries.time.max(initial=0.0))
        frame = self.score(model, calibration, as_of, names)
        found = dict(zip(frame["customer"], frame["score"], strict=True))
        return np.asarray([found[name] for name in names], np.float64)

    def realised(self, scores: pl.DataFrame, as_of: float) -> Realised:
        """Hold old scores, in the schema `handoff.outcomes.KEPT`, against what happened since `as_of`."""
        raise HandoffError(f"The task {self.world.config.task} does not say how its scores turned out.")

    @property
    def said(self) -> Said:
        """What people said that this task learns from; none where labels weigh nothing."""
        return self.world.said.where(np.zeros(len(self.world.said), bool))

    def labels_used(self, queries: Queries, until: float) -> int:
        """How many labels bear on the targets of `queries`, whose windows end by `until`."""
        return len(np.unique(self.said.within(queries, float(self.world.config.horizon_days), until)[0]))

    @abstractmethod
    def head(self, shape: Shape) -> nn.Module:
        """Build the head; its forward takes (state, batch, products, row, inputs)."""

    @abstractmethod
    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        """Draw one epoch's questions, sorted by customer; targets must end at `windows.validation`."""

    def refitting_queries(self, windows: Windows, rng: np.random.Generator) -> Queries:
        """The same for fitting once more before the test, with targets that end at `windows.test`."""
        return self.training_queries(replace(windows, validation=windows.test), rng)

    @abstractmethod
    def inputs(self, queries: Queries) -> Inputs:
        """What the head reads besides the state. Nothing at or after a query's time may enter."""

    @abstractmethod
    def targets(self, queries: Queries, until: float) -> Inputs:
        """What truly happened from each query's time on, and before `until`."""

    @abstractmethod
    def loss(self, answer: Tensor, targets: Inputs) -> Tensor:
        """A scalar to minimise."""

    @abstractmethod
    def validate(self, model: Model, windows: Windows) -> dict[str, float]:
        """Metrics on the validation window, `metric` among them; {} where the window holds nobody."""

    @abstractmethod
    def calibrate(self, model: Model, windows: Windows) -> Calibration:
        """Learn on the validation window how to turn answers into probabilities."""

    @abstractmethod
    def report(self, model: Model, calibration: Mapping[str, Any], windows: Windows, cutoff: float) -> Report:
        """Compare the model with the configured baselines on the window that begins at `cutoff`."""

    @abstractmethod
    def score(
        self, model: Model, calibration: Mapping[str, Any], as_of: float, customers: list[str]
    ) -> pl.DataFrame:
        """Answer for every one of `customers` at `as_of`, in the schema `handoff.scores.SCORES`."""

    def score_with_sides(
        self,
        model: Model,
        calibration: Mapping[str, Any],
        as_of: float,
        customers: list[str],
        *,
        shard: int,
        shards: int,
    ) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
        """The same, with the side files of the shard by their names, see `handoff.scores`."""
        return self.score(model, calibration, as_of, customers), {}
