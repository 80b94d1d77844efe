"""The loop's settings: what each changes, that the defaults change nothing, and that all resume alike."""

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.progress import ProgressWriter
from neural import checkpoints
from neural.fitting import Fitter, half_precision, in_steps, learning_rate
from neural.runs import StopFlag
from neural.training import train
from tests.neural.shop import CHURN
from tests.neural.test_run_folder import wait_for_steps

Configure = Callable[..., TrainingConfig]
PLACE = (1, 0, 0)


class Points:
    """Lessons that are no events: y = 2x, in batches of two."""

    def __init__(self, count: int = 8) -> None:
        self.x = torch.arange(1.0, count + 1)[:, None]

    def epoch(self, rng: np.random.Generator) -> list[list[int]]:
        order = rng.permutation(len(self.x)).tolist()
        return [order[begin : begin + 2] for begin in range(0, len(order), 2)]

    def size(self, batch: list[int]) -> int:
        return len(batch)

    def loss(self, model: Any, batch: list[int], rng: np.random.Generator) -> Tensor:
        difference: Tensor = model(self.x[batch]).float() - 2 * self.x[batch]
        return (difference**2).mean()


def fitter(config: TrainingConfig, folder: Path) -> Fitter:
    return Fitter(config, folder, ProgressWriter(folder), StopFlag())


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def stepped(config: TrainingConfig, folder: Path, batches: Sequence[list[int]]) -> tuple[nn.Linear, float]:
    model, loop = line(), fitter(config, folder)
    loss = loop.step(model, Points(), loop.optimizer(model), batches, PLACE, 0.1)
    return model, loss


def test_batches_fall_into_steps_and_the_last_may_be_short() -> None:
    assert in_steps([1, 2, 3, 4, 5], 1) == [[1], [2], [3], [4], [5]]
    assert in_steps([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]


def test_accumulated_batches_make_the_step_of_one_large_batch(tmp_path: Path, configure: Configure) -> None:
    """Also where they differ in size: every example weighs the same."""
    large, one = stepped(configure(CHURN), tmp_path, [[0, 1, 2, 3, 4]])
    small, other = stepped(configure(CHURN, accumulate=3), tmp_path, [[0, 1], [2, 3], [4]])
    assert other == pytest.approx(one, rel=1e-6)
    assert small.weight.item() == pytest.approx(large.weight.item(), rel=1e-6)
    assert small.bias.item() == pytest.approx(large.bias.item(), rel=1e-6)
    assert small.weight.item() != line().weight.item()


def test_each_accumulated_batch_has_randomness_of_its_own(tmp_path: Path, configure: Configure) -> None:
    drawn: list[float] = []

    class Noting(Points):
        def loss(self, model: Any, batch: list[int], rng: np.random.Generator) -> Tensor:
            drawn.extend((rng.random(), torch.rand(1).item()))
            return super().loss(model, batch, rng)

    loop, model = fitter(configure(CHURN, accumulate=2), tmp_path), line()
    for step in range(2):
        loop.step(model, Noting(), loop.optimizer(model), [[0], [1]], (1, 0, step), 0.1)
    assert len(set(drawn)) == 8


def test_lessons_that_are_no_events_are_learnt(tmp_path: Path, configure: Configure) -> None:
    config = configure(CHURN, epochs=400, learning_rate=0.1, weight_decay=0.0, accumulate=2)
    model = line()
    state = fitter(config, tmp_path).fit("training", model, Points(), config.epochs)
    assert state.total == 400 * 2
    assert model.weight.item() == pytest.approx(2.0, abs=0.05)


def test_weights_that_need_no_gradient_stay(tmp_path: Path, configure: Configure) -> None:
    model = line()
    model.weight.requires_grad_(False)
    before = model.weight.item()
    fitter(configure(CHURN, weight_decay=0.5), tmp_path).fit("training", model, Points(), 3)
    assert model.weight.item() == before
    assert model.bias.item() != line().bias.item()


@pytest.mark.parametrize(
    ("schedule", "middle", "end"), [("cosine", 0.525, 0.05), ("linear", 0.525, 0.05), ("constant", 1.0, 1.0)]
)
def test_the_rate_warms_up_and_then_follows_its_schedule(
    schedule: str, middle: float, end: float, configure: Configure
) -> None:
    config = configure(CHURN, schedule=schedule, learning_rate=0.01, warmup_share=0.2)
    found = [learning_rate(config, step, 100) / 0.01 for step in range(101)]
    assert found[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert found[20] == pytest.approx(1.0)
    assert found[60] == pytest.approx(middle)
    assert found[100] == pytest.approx(end)


def test_a_line_falls_evenly_and_a_cosine_slowly_at_first(configure: Configure) -> None:
    config = {name: configure(CHURN, schedule=name, warmup_share=0.0) for name in ("linear", "cosine")}
    linear, cosine = (learning_rate(config[name], 26, 101) for name in ("linear", "cosine"))
    assert linear == pytest.approx(2e-3 * (0.05 + 0.95 * 0.75))
    assert cosine == pytest.approx(2e-3 * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi / 4))))


@pytest.mark.parametrize(
    ("precision", "cpu", "cuda"), [("auto", False, True), ("fp32", False, False), ("bf16", True, True)]
)
def test_auto_is_half_precision_on_a_gpu_alone(
    precision: str, cpu: bool, cuda: bool, configure: Configure
) -> None:
    config = configure(CHURN, precision=precision)
    assert half_precision(config, torch.device("cpu")) == cpu
    assert half_precision(config, torch.device("cuda")) == cuda


def test_bf16_multiplies_in_bf16_and_keeps_weights_in_fp32(tmp_path: Path, configure: Configure) -> None:
    seen = []

    class Looking(Points):
        def loss(self, model: Any, batch: list[int], rng: np.random.Generator) -> Tensor:
            seen.append(model(self.x[batch]).dtype)
            return super().loss(model, batch, rng)

    for precision in ("auto", "bf16"):
        model = line()
        folder = tmp_path / precision
        folder.mkdir()
        fitter(configure(CHURN, precision=precision), folder).fit("training", model, Looking(2), 1)
        assert model.weight.dtype == torch.float32
    assert seen == [torch.float32, torch.bfloat16]


def test_a_loss_that_is_no_number_names_the_remedy(tmp_path: Path, configure: Configure) -> None:
    class Absurd(Points):
        def loss(self, model: Any, batch: list[int], rng: np.random.Generator) -> Tensor:
            return super().loss(model, batch, rng) * math.nan

    model = line()
    before = model.weight.item()
    with pytest.raises(HandoffError, match=r"The loss is nan in epoch 1 of training: lower learning_rate"):
        fitter(configure(CHURN), tmp_path).fit("training", model, Absurd(), 1)
    assert model.weight.item() == before
    assert checkpoints.load(tmp_path / "checkpoints") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulate": 3, "schedule": "linear"},
        {"precision": "bf16", "schedule": "constant"},
        {"class_weight": "balanced", "freeze_layers": 1},
        {"augment_crop": 0.5, "augment_mask": 0.2, "augment_reorder": 0.5, "augment_drop": 0.3},
    ],
    ids=["accumulate", "bf16", "balanced, frozen", "augmentation"],
)
def test_a_killed_run_with_any_setting_goes_on_to_bit_identical_weights(
    changes: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    whole, killed, plain = tmp_path / "whole", tmp_path / "killed", tmp_path / "plain"
    common = {"epochs": 2, "batch_size": 16, "dropout": 0.2}
    configure(CHURN, **common).write(plain)
    for folder in (whole, killed):
        configure(CHURN, **common, **changes).write(folder)
    command = [sys.executable, "-m", "neural", "train", str(killed), "--checkpoint-seconds", "0"]
    for phase, steps in (("pretraining", 1), ("training", 1), ("training", 1001)):
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        wait_for_steps(killed, phase, steps, child)
        child.kill()
        child.wait()
    for folder in (whole, killed, plain):
        assert train(folder).status == "succeeded"
    weights = [(folder / "artifact/weights.safetensors").read_bytes() for folder in (whole, killed, plain)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]  # the setting did something
    ours, theirs = (read_json(folder / "evaluation.json") for folder in (whole, killed))
    assert ours["curves"]["learning"] == theirs["curves"]["learning"]
