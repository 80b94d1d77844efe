"""`python -m neural train`: one run folder from configuration to sealed artifact."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError, NotEnoughData
from handoff.files import read_json, write_json
from handoff.progress import Outcome, ProgressWriter
from neural.artifacts import choose_device, write_artifact
from neural.data.world import training_world
from neural.factors import purchase_factors
from neural.fitting import TOO_SHORT, Examples, Fitter, State, StopFlag
from neural.model import Model, shape_of
from neural.reports import evaluation_record, model_card
from neural.requirements import require_enough
from neural.tasks import find_task
from neural.tasks.base import Task
from neural.tasks.pretraining import NextVisit
from neural.windows import Windows


def train(folder: Path, *, checkpoint_seconds: float = 20.0) -> Outcome:
    """Run, or go on with, the run of `folder`. Raises Stopped on SIGTERM and HandoffError for bad input."""
    if not folder.is_dir():
        raise HandoffError(f"{folder} is not a folder: a run folder with config.json is needed.")
    finished = Outcome.read(folder)
    if finished is not None and finished.status == "succeeded" and (folder / "artifact").is_dir():
        return finished
    (folder / "outcome.json").unlink(missing_ok=True)
    stop = StopFlag()
    config = TrainingConfig.read(folder)
    _same_run(folder, config)
    try:
        _run(folder, config, stop, checkpoint_seconds)
    except NotEnoughData as answer:
        outcome = Outcome("not_enough_data", str(answer), tuple(answer.missing))
    else:
        outcome = Outcome("succeeded")
    outcome.write(folder)
    return outcome


def _run(folder: Path, config: TrainingConfig, stop: StopFlag, checkpoint_seconds: float) -> None:
    progress = ProgressWriter(folder)
    seconds: dict[str, float] = {}
    clock = time.process_time()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.process_time()
        seconds[name], clock = round(now - clock, 2), now

    progress.write("preparing", 0, 1)
    torch.set_num_threads(config.threads)
    dataset = Dataset.open(config.dataset)
    dataset.verify()
    windows = Windows.choose(config, dataset.manifest)
    require_enough(config, dataset, windows)
    stop.check()
    world = training_world(
        config, dataset, train_end=windows.validation, cuts=(windows.validation, windows.test, windows.end)
    )
    task = find_task(config.task)(world)
    task.prepare(windows)
    progress.write("preparing", 1, 1)
    lap("preparing")

    fitter = Fitter(config, world, windows, folder, progress, stop, checkpoint_seconds)
    model, state = _fit(fitter, task)
    lap("fitting")

    progress.write("evaluating", 0, 3)
    stop.check()
    calibration = task.calibrate(model, windows)
    validation = task.report(model, calibration, windows, windows.validation)
    progress.write("evaluating", 1, 3)
    stop.check()
    test = task.report(model, calibration, windows, windows.test)
    progress.write("evaluating", 2, 3)
    lap("evaluating")
    record = evaluation_record(windows, _examples(fitter, task), validation, test, state, seconds)
    write_json(folder / "evaluation.json", record)
    card = model_card(config, dataset.manifest, record, state)
    write_artifact(
        folder / "artifact",
        task=task,
        model=model,
        calibration=calibration,
        windows=windows.as_json(),
        card=card,
    )
    progress.write("evaluating", 3, 3)


def _fit(fitter: Fitter, task: Task) -> tuple[Model, State]:
    """Pretrain the encoder on everybody's next visit, then fine-tune encoder and head."""
    config, world = fitter.config, fitter.world
    if _examples(fitter, task) == 0:
        raise NotEnoughData([TOO_SHORT])
    shape = shape_of(world, task.calendar)
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    pretrained = Model(shape, NextVisit(world).head(shape), world.vocabulary)
    model = Model(shape, task.head(shape), world.vocabulary)
    vectors = torch.from_numpy(purchase_factors(world, fitter.windows.validation))
    for module in (pretrained, model):
        with torch.no_grad():
            module.encoder.products.own.weight[1:].copy_(vectors)
    model.to(device)
    total = 0
    visits = NextVisit(world)
    if config.pretrain_epochs and _examples(fitter, visits) and not fitter.reached("training"):
        pretrained.to(device)
        total = fitter.fit("pretraining", pretrained, visits, config.pretrain_epochs).total
    model.encoder.load_state_dict(pretrained.encoder.state_dict())
    state = fitter.fit(
        "training",
        model,
        task,
        config.epochs,
        validate=lambda: task.validate(model, fitter.windows),
        metric=task.metric,
        total=total,
    )
    return model, state


def _examples(fitter: Fitter, task: Examples) -> int:
    """Number of training questions of one epoch."""
    return len(task.training_queries(fitter.windows, np.random.default_rng(fitter.config.seed)))


def _same_run(folder: Path, config: TrainingConfig) -> None:
    """Refuse to go on from checkpoints of another configuration."""
    marker = folder / "checkpoints" / "config.json"
    wanted = {
        name: value for name, value in asdict(config).items() if name not in ("device", "threads", "top_k")
    }
    if not marker.is_file():
        marker.parent.mkdir(exist_ok=True)
        write_json(marker, wanted)
        return
    written = read_json(marker)
    for name, value in json.loads(json.dumps(wanted)).items():
        if written.get(name) != value:
            raise HandoffError(
                f"{folder} was begun with {name} = {written.get(name)!r}, config.json now says {value!r}. "
                "Start a new run folder, or remove its checkpoints."
            )
