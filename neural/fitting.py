"""Fitting: one explicit loop for pretraining and fine-tuning, that can be killed at any step.

Every batch seeds its own randomness from (seed, phase, epoch, batch), and the examples of an epoch from
(seed, phase, epoch). So a position in the run is three numbers, and a resumed run is the same run.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from handoff.config import TrainingConfig
from handoff.errors import HandoffError, NotEnoughData
from handoff.missing import Missing
from handoff.progress import Phase, ProgressWriter
from neural import checkpoints
from neural.lessons import Lessons
from neural.runs import StopFlag, Stopped

CLIP = 1.0  # of the gradient's norm
FLOOR = 0.05  # of the learning rate, where a schedule ends
PHASES: tuple[Phase, ...] = ("pretraining", "training", "refitting")
TOO_SHORT: Missing = {"code": "no_examples"}
B = TypeVar("B")  # a batch, in whatever form its lessons keep it


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
    """Linear warm-up, then down to a twentieth along half a cosine or a line, or not at all."""
    warmup = max(1, round(config.warmup_share * of))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    share = min((step - warmup) / max(1, of - warmup), 1.0)
    if config.schedule == "constant":
        return config.learning_rate
    left = 1 - share if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * share))
    return config.learning_rate * (FLOOR + (1 - FLOOR) * left)


def half_precision(config: TrainingConfig, device: torch.device) -> bool:
    """Whether matrices are multiplied in bfloat16; the weights and the loss stay in float32."""
    return config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda")


def in_steps(batches: Sequence[B], accumulate: int) -> list[Sequence[B]]:
    """The batches of each optimiser step; the last step may have fewer."""
    return [batches[begin : begin + accumulate] for begin in range(0, len(batches), accumulate)]


@dataclass
class Fitter:
    """Runs the phases of one run folder."""

    config: TrainingConfig
    folder: Path
    progress: ProgressWriter
    stop: StopFlag
    checkpoint_seconds: float = 20.0

    def fit(
        self,
        phase: Phase,
        model: nn.Module,
        lessons: Lessons[B],
        epochs: int,
        validate: Callable[[], dict[str, float]] | None = None,
        metric: str = "",
        total: int = 0,
    ) -> State:
        """Train `model` for up to `epochs` and leave it with the best weights (the last, without `validate`).

        Goes on from the newest checkpoint when that one is of the same phase. Weights that need no gradient
        are left as they are.
        """
        optimizer = self.optimizer(model)
        state, best = self._restore(phase, model, optimizer)
        state.total = max(state.total, total)
        saved = time.monotonic()
        while state.epoch < epochs and not self._out_of_patience(state):
            steps = self.epoch(phase, lessons, state.epoch)
            for step in range(state.step, len(steps)):
                if self.stop.raised:
                    self._save(phase, model, optimizer, state, best)
                    raise Stopped
                rate = learning_rate(self.config, state.epoch * len(steps) + step, epochs * len(steps))
                place = (PHASES.index(phase), state.epoch, step)
                state.loss += self.step(model, lessons, optimizer, steps[step], place, rate)
                state.step, state.total = step + 1, state.total + 1
                done = state.epoch * len(steps) + state.step
                self.progress.write(phase, done, epochs * len(steps), loss=state.loss / state.step)
                if state.step < len(steps) and time.monotonic() - saved >= self.checkpoint_seconds:
                    self._save(phase, model, optimizer, state, best)
                    saved = time.monotonic()
            found = validate() if validate else {}
            best = self._end_epoch(state, len(steps), found, metric, model, best)
            self.progress.write(
                phase,
                state.epoch * len(steps),
                epochs * len(steps),
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

    def optimizer(self, model: nn.Module) -> torch.optim.AdamW:
        return torch.optim.AdamW(
            _groups(model, self.config.weight_decay), lr=self.config.learning_rate, fused=False
        )

    def epoch(self, phase: Phase, lessons: Lessons[B], epoch: int) -> list[Sequence[B]]:
        """Return the batches of each step. Raises NotEnoughData where there are none."""
        batches = lessons.epoch(seeded(self.config.seed, PHASES.index(phase), epoch))
        if not batches:
            raise NotEnoughData([TOO_SHORT])
        return in_steps(batches, self.config.accumulate)

    def step(
        self,
        model: nn.Module,
        lessons: Lessons[B],
        optimizer: torch.optim.Optimizer,
        batches: Sequence[B],
        place: tuple[int, int, int],
        rate: float,
    ) -> float:
        """Take one step on the mean loss over all examples of `batches` and return that loss.

        `place` is (phase, epoch, step). Raises HandoffError where the loss is no number.
        """
        model.train()
        optimizer.zero_grad(set_to_none=True)
        device = next(model.parameters()).device
        examples = sum(lessons.size(batch) for batch in batches)
        total = 0.0
        for number, batch in enumerate(batches):
            rng = seeded(self.config.seed, *place[:2], place[2] * self.config.accumulate + number)
            torch.manual_seed(int(rng.integers(2**62)))
            with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(self.config, device)):
                loss = lessons.loss(model, batch, rng) * (lessons.size(batch) / examples)
            total += loss.item()
            if not math.isfinite(total):
                raise HandoffError(
                    f"The loss is {total} in epoch {place[1] + 1} of {PHASES[place[0]]}: lower learning_rate "
                    f"(now {self.config.learning_rate}) or look for absurd amounts in the data."
                )
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        return total

    def _end_epoch(
        self,
        state: State,
        steps: int,
        found: dict[str, float],
        metric: str,
        model: nn.Module,
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
        model: nn.Module,
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
        self, phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer
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
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2]
    others = [p for p in trained if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
