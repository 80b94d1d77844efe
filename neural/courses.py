"""Courses: one task on one dataset, from fresh weights to a sealed artifact.

`train`, `try` and `range` go through a course without knowing whether it is about events or texts.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError, NotEnoughData
from neural.artifacts import choose_device, open_artifact, write_artifact
from neural.calibration import Calibration
from neural.compression.comparing import compare
from neural.compression.pruning import Cut, check_cut, estimate_worth, prune
from neural.compression.storage import round_weights
from neural.data.world import training_world
from neural.factors import purchase_factors
from neural.fitting import TOO_SHORT, Fitter, State
from neural.lessons import EventLessons, LastLessons, Lessons, trainable
from neural.model import Model, shape_of
from neural.profiles import make_reference
from neural.requirements import require_enough
from neural.tasks import find_task
from neural.tasks.base import Report
from neural.tasks.pretraining import NextVisit
from neural.warmstart import freeze, in_size_of, read_start, take_over
from neural.windows import Windows


class Course(Protocol):
    """What the commands need. It is made by a function (config, dataset, *, test, root) -> Course.

    Without `test` nothing after the validation window may be read. Making it raises NotEnoughData where
    the data cannot support the task at all.
    """

    windows: Windows
    metric: str  # higher is better
    calibration: Calibration  # what `calibrate` learnt
    started: dict[str, Any] | None  # what was taken over from `config.start`

    def examples(self) -> int:
        """Number of training examples of one epoch."""

    def labels(self) -> int:
        """Number of people's labels among what one epoch teaches."""

    def parameters(self) -> int:
        """Number of weights that training changes."""

    def begin(self) -> tuple[Any, Lessons[Any]]:
        """The model as fine-tuning begins, and what it will be taught; for the learning-rate range test."""

    def fit(self, fitter: Fitter) -> State:
        """Go through all phases, or on with the one that a checkpoint lies in."""

    def calibrate(self) -> None:
        """Learn on the validation window how to turn the fitted model's answers into probabilities."""

    def refits(self) -> bool:
        """Whether the model is fitted once more before its test."""

    def refit(self, fitter: Fitter, calibration: Calibration) -> None:
        """Let the chosen model learn from the validation window too; it keeps the calibration from before."""

    def report(self, cutoff: float) -> Report:
        """Measure the calibrated model on the window that begins at `cutoff`."""

    def compression(self, test: Report) -> dict[str, Any] | None:
        """What was made smaller, before and after; None where nothing was. `test` is the model's report."""

    def write(self, folder: Path, card: Mapping[str, Any]) -> None:
        """Write and seal the artifact."""


# Tasks that learn from something else than a world of events, by the function that makes their course.
COURSES: dict[str, str] = {"text_label": "neural.text.course:TextCourse"}


def open_course(config: TrainingConfig, dataset: Dataset, *, test: bool, root: Path | None) -> Course:
    """Prepare the course of `config.task`. Under `root` lies the artifact to start from."""
    make: Callable[..., Course] = EventCourse
    if config.task in COURSES:
        module, _, name = COURSES[config.task].partition(":")
        make = getattr(import_module(module), name)
    return make(config, dataset, test=test, root=root)


class EventCourse:
    """Pretrain the encoder on everybody's next visit, then fine-tune encoder and head."""

    def __init__(self, config: TrainingConfig, dataset: Dataset, *, test: bool, root: Path | None) -> None:
        self.config, self._dataset, self._root = config, dataset, root
        self.windows = windows = Windows.choose(config, dataset.manifest)
        require_enough(config, dataset, windows)
        start = read_start(config, windows, root) if config.start else None
        cuts = (windows.validation, windows.test, *([windows.end] if test else []))
        self.world = training_world(config, dataset, train_end=windows.validation, cuts=cuts)
        task_class = find_task(config.task)
        if config.class_weight != "none" and not task_class.classes:
            raise HandoffError(f"class_weight is {config.class_weight!r}, but {config.task} has no classes.")
        self.task = task_class(self.world)
        self.task.prepare(windows)
        self.metric = self.task.metric
        if self.examples() == 0:
            raise NotEnoughData([TOO_SHORT])
        self.calibration: Calibration = {}
        self.started: dict[str, Any] | None = None
        shape = shape_of(self.world, self.task.calendar)
        if start is not None:
            shape = in_size_of(shape, start)
        torch.manual_seed(config.seed)
        self.visits = NextVisit(self.world)
        self.pretrained = Model(shape, self.visits.head(shape), self.world.vocabulary)
        self.model = Model(shape, self.task.head(shape), self.world.vocabulary)
        with torch.no_grad():
            vectors = torch.from_numpy(purchase_factors(self.world, windows.validation))
            self.pretrained.encoder.products.begin_at(vectors, self.pretrained.text[: len(vectors)])
        if start is not None:
            check_cut(shape, Cut.of(config))
            self.started = take_over(self.pretrained.encoder, self.model, self.world, start)

    def examples(self) -> int:
        return self._count(self.task.training_queries)

    def labels(self) -> int:
        queries = self.task.training_queries(self.windows, np.random.default_rng(self.config.seed))
        return self.task.labels_used(queries, self.windows.validation)

    def parameters(self) -> int:
        return trainable(self.model)

    def begin(self) -> tuple[Model, EventLessons]:
        self.model.to(choose_device(self.config.device))
        self.model.encoder.load_state_dict(self.pretrained.encoder.state_dict())
        lessons = EventLessons(self.world, self.windows, self.task)
        if cut := Cut.of(self.config):
            self.model.encoder = prune(
                self.model.encoder, estimate_worth(self.model, lessons, self.config), cut
            )
        freeze(self.model.encoder, self.config.freeze_layers)
        return self.model, lessons

    def fit(self, fitter: Fitter) -> State:
        config, total = self.config, 0
        if self._pretrains() and not fitter.reached("training"):
            self.pretrained.to(choose_device(config.device))
            visits = EventLessons(self.world, self.windows, self.visits)
            total = fitter.fit("pretraining", self.pretrained, visits, config.pretrain_epochs).total
        model, lessons = self.begin()
        return fitter.fit(
            "training",
            model,
            lessons,
            config.epochs,
            validate=lambda: self.task.validate(model, self.windows),
            metric=self.metric,
            total=total,
        )

    def _pretrains(self) -> bool:
        """Weights taken over are pretrained already, unless somebody wants it done again on newer data."""
        asked = self.config.pretrain == "always" or not self.config.start
        return asked and self.config.pretrain_epochs > 0 and self._count(self.visits.training_queries) > 0

    def _count(self, draw: Callable[..., Any]) -> int:
        return len(draw(self.windows, np.random.default_rng(self.config.seed)))

    def calibrate(self) -> None:
        round_weights(self.model, self.config.export)
        self.calibration = self.task.calibrate(self.model, self.windows)

    def refits(self) -> bool:
        return self.config.refit_epochs > 0

    def refit(self, fitter: Fitter, calibration: Calibration) -> None:
        if fitter.reached("refitting"):
            self.begin()
        lessons = LastLessons(self.world, self.windows, self.task)
        fitter.fit("refitting", self.model, lessons, self.config.refit_epochs)
        self.calibration = calibration
        round_weights(self.model, self.config.export)

    def report(self, cutoff: float) -> Report:
        return self.task.report(self.model, self.calibration, self.windows, cutoff)

    def compression(self, test: Report) -> dict[str, Any] | None:
        config = self.config
        if self._root is None or not config.start or not (Cut.of(config) or config.export != "fp32"):
            return None
        cuts = (self.windows.validation, self.windows.test, self.windows.end)
        before = open_artifact(Path(config.start), self._root, self._dataset, cuts=cuts)
        return compare(before, self.model, self.task, self.windows, config.export, test.model)

    def write(self, folder: Path, card: Mapping[str, Any]) -> None:
        write_artifact(
            folder,
            task=self.task,
            model=self.model,
            calibration=self.calibration,
            windows=self.windows.as_json(),
            card={**card, "cleaning": {**asdict(self.config.cleaning), **asdict(self.world.limits)}},
            reference=make_reference(
                self.task, self.model, self.calibration, self._dataset, self.windows.test
            ),
        )
