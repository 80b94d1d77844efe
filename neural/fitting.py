"""Fitting: one explicit loop for pretraining and fine-tuning, that can be killed at any step.

Every step seeds its own randomness from (seed, phase, epoch, step), and the examples of an epoch from
(seed, phase, epoch). So a position in the run is three numbers, and a resumed run is the same run.
"""

import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from handoff.config import TrainingConfig
from handoff.errors import HandoffError, NotEnoughData
from handoff.missing import Missing
from handoff.progress import Phase, ProgressWriter
from neural import checkpoints
from neural.data.batches import make_batch, split
from neural.data.world import Queries, World
from neural.heads import Inputs
from neural.model import Model
from neural.prediction import device_of, to_device
from neural.windows import Windows

CLIP = 1.0  # of the gradient's norm
PHASES: tuple[Phase, ...] = ("pretraining", "training")
TOO_SHORT: Missing = {"code": "no_examples"}


class Examples(Protocol):
    """What the loop needs of a task."""

    def training_queries(self, windows: Windows, rng: np.random.Generator) -> Queries: ...
    def inputs(self, queries: Queries) -> Inputs: ...
    def targets(self, queries: Queries, until: float) -> Inputs: ...
    def loss(self, answer: Tensor, targets: Inputs) -> Tensor: ...


class Stopped(Exception):
    """The supervisor asked the run to end (SIGTERM); its checkpoint is written."""


class StopFlag:
    """Set by SIGTERM, read between steps."""

    def __init__(self) -> None:
        self.raised = False
        signal.signal(signal.SIGTERM, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised = True

    def check(self) -> None:
        if self.raised:
            raise Stopped


@dataclass
class State:
    """Where a phase stands; exactly what a checkpoint's state.json holds."""

    phase: str
    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the epoch under way
    total: int = 0  # finished steps of all phases
    loss: float = 0.0  # sum over the epoch's finished steps
    best: float | None = None
    best_epoch: int = 0
    curve: list[dict[str, Any]] | None = None


def seeded(*numbers: int) -> np.random.Generator:
    return np.random.default_rng(numbers)


def learning_rate(config: TrainingConfig, step: int, of: int) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    warmup = max(1, round(config.warmup_share * of))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    share = (step - warmup) / max(1, of - warmup)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


@dataclass
class Fitter:
    """Runs the phases of one run folder."""

    config: TrainingConfig
    world: World
    windows: Windows
    folder: Path
    progress: ProgressWriter
    stop: StopFlag
    checkpoint_seconds: float = 20.0

    def fit(
        self,
        phase: Phase,
        model: Model,
        task: Examples,
        epochs: int,
        validate: Callable[[], dict[str, float]] | None = None,
        metric: str = "",
        total: int = 0,
    ) -> State:
        """Train `model` for up to `epochs` and leave it with the best weights (the last, without `validate`).

        Goes on from the newest checkpoint when that one is of the same phase.
        """
        optimizer = torch.optim.AdamW(
            _groups(model, self.config.weight_decay), lr=self.config.learning_rate, fused=False
        )
        state, best = self._restore(phase, model, optimizer)
        state.total = max(state.total, total)
        saved = time.monotonic()
        while state.epoch < epochs and not self._out_of_patience(state):
            batches = self._epoch(phase, task, state.epoch)
            for step in range(state.step, len(batches)):
                if self.stop.raised:
                    self._save(phase, model, optimizer, state, best)
                    raise Stopped
                rate = learning_rate(self.config, state.epoch * len(batches) + step, epochs * len(batches))
                state.loss += self._step(
                    phase, model, task, optimizer, batches[step], state.epoch, step, rate
                )
                state.step, state.total = step + 1, state.total + 1
                done = state.epoch * len(batches) + state.step
                self.progress.write(phase, done, epochs * len(batches), loss=state.loss / state.step)
                if state.step < len(batches) and time.monotonic() - saved >= self.checkpoint_seconds:
                    self._save(phase, model, optimizer, state, best)
                    saved = time.monotonic()
            found = validate() if validate else {}
            best = self._end_epoch(state, len(batches), found, metric, model, best)
            self.progress.write(
                phase,
                state.epoch * len(batches),
                epochs * len(batches),
                loss=(state.curve or [{}])[-1].get("train_loss"),
                metrics=found,
            )
            self._save(phase, model, optimizer, state, best)
            saved = time.monotonic()
        if best:
            model.load_state_dict(best)
        return state

    def reached(self, phase: Phase) -> bool:
        """Whether the newest checkpoint belongs to `phase`."""
        found = checkpoints.load(self.folder / "checkpoints")
        return found is not None and found[1]["phase"] == phase

    def _epoch(self, phase: Phase, task: Examples, epoch: int) -> list[Queries]:
        rng = seeded(self.config.seed, PHASES.index(phase), epoch)
        queries = task.training_queries(self.windows, rng)
        if len(queries) == 0:
            raise NotEnoughData([TOO_SHORT])
        return [queries.take(index) for index in split(self.world, queries, self.config.batch_size, rng)]

    def _step(
        self,
        phase: Phase,
        model: Model,
        task: Examples,
        optimizer: torch.optim.Optimizer,
        queries: Queries,
        epoch: int,
        step: int,
        rate: float,
    ) -> float:
        torch.manual_seed(int(seeded(self.config.seed, PHASES.index(phase), epoch, step).integers(2**62)))
        device = device_of(model)
        batch = make_batch(self.world, queries).to(device)
        inputs = to_device(task.inputs(queries), device)
        targets = to_device(task.targets(queries, self.windows.validation), device)
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            answer = model(batch, inputs)
        loss = task.loss(answer.float(), targets)
        if not torch.isfinite(loss):
            raise HandoffError(
                f"The loss is {loss.item()} in epoch {epoch + 1} of {phase}: lower learning_rate "
                f"(now {self.config.learning_rate}) or look for absurd amounts in the data."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        return loss.item()

    def _end_epoch(
        self,
        state: State,
        steps: int,
        found: dict[str, float],
        metric: str,
        model: Model,
        best: checkpoints.Weights,
    ) -> checkpoints.Weights:
        state.epoch += 1
        entry = {"epoch": state.epoch, "train_loss": state.loss / steps, "validation": found}
        state.curve = [*(state.curve or []), entry]
        state.step, state.loss = 0, 0.0
        if metric in found and (state.best is None or found[metric] > state.best):
            state.best, state.best_epoch = found[metric], state.epoch
            return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        return best

    def _out_of_patience(self, state: State) -> bool:
        return state.best is not None and state.epoch - state.best_epoch > self.config.patience

    def _save(
        self,
        phase: Phase,
        model: Model,
        optimizer: torch.optim.Optimizer,
        state: State,
        best: checkpoints.Weights,
    ) -> None:
        parts = {
            "model": dict(model.state_dict()),
            "optimizer": checkpoints.optimizer_weights(optimizer),
            "best": best,
        }
        serial = (checkpoints.numbers(self.folder / "checkpoints") or [0])[-1] + 1
        checkpoints.save(self.folder / "checkpoints", serial, parts, {**vars(state), "phase": phase})

    def _restore(
        self, phase: Phase, model: Model, optimizer: torch.optim.Optimizer
    ) -> tuple[State, checkpoints.Weights]:
        found = checkpoints.load(self.folder / "checkpoints")
        if found is None or found[1]["phase"] != phase:
            return State(phase), {}
        parts, raw = found
        model.load_state_dict(parts["model"])
        if "optimizer" in parts:
            checkpoints.restore_optimizer(optimizer, parts["optimizer"])
        return State(**raw), parts.get("best", {})


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay (the L2 of matrix factorisation too) on matrices, none on biases and norms."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
