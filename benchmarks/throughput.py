"""Training throughput beside RecTools' SASRec: the same sequences, objective, width, length and batch.

    RECTOOLS_PYTHON=/path/to/python python -m benchmarks.throughput

Both learn the next item after every event by the softmax over all items, in one thread. Every item is a
visit of its own, so that both see equally many events; what ours saves where baskets hold several products
is not counted. CPU seconds of the fastest epoch after the first.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch

from benchmarks.peers.sasrec import python
from benchmarks.report import report, skip
from handoff.building import build_dataset
from handoff.config import TrainingConfig
from handoff.progress import ProgressWriter
from neural.data.world import World, training_world
from neural.fitting import Fitter
from neural.lessons import EventLessons
from neural.model import Model, shape_of
from neural.runs import StopFlag
from neural.tasks.pretraining import NextVisit
from neural.windows import Windows, to_days

SHAPE: dict[str, int] = {"width": 64, "layers": 2, "heads": 2, "length": 50, "batch": 128, "epochs": 3}
USERS, ITEMS, SEED = 512, 3000, 0
START = datetime(2020, 1, 1, tzinfo=UTC)
SCRIPT = Path(__file__).parent / "peers" / "rectools_speed.py"


def sequences(ragged: bool) -> pl.DataFrame:
    """One item a day for each user: 51 for everyone, or from 3 on, 11 on average, as in public files."""
    rng = np.random.default_rng(SEED)
    most = SHAPE["length"] + 1
    size = np.minimum(3 + rng.geometric(1 / 9, USERS) - 1, most) if ragged else np.full(USERS, most)
    user = np.repeat(np.arange(USERS), size)
    day = np.arange(len(user)) - np.repeat(np.cumsum(size) - size, size)
    item = np.minimum(rng.zipf(1.3, len(user)), 10**6) * 7919 % ITEMS
    return pl.DataFrame({"user": user, "item": item, "day": day})


def ours(rows: pl.DataFrame, folder: Path) -> list[float]:
    """CPU seconds of each epoch of the encoder's pretraining."""
    lines = rows.select(
        pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(5)).alias("customer"),
        (pl.lit(START) + pl.duration(days=pl.col("day"))).alias("at"),
        pl.lit("purchase").alias("kind"),
        pl.format("i{}", pl.col("item").cast(pl.String).str.zfill(5)).alias("product"),
    )
    dataset = build_dataset(folder / "dataset", lines)
    values: dict[str, Any] = {name: SHAPE[name] for name in ("width", "layers", "heads")}
    values |= {"max_visits": SHAPE["length"], "batch_size": SHAPE["batch"], "backbone": "transformer"}
    values |= {"agent": "recommender", "task": "next_product", "horizon_days": 28, "dropout": 0.2}
    config = TrainingConfig.from_mapping({**values, "dataset": str(dataset.folder), "device": "cpu"})
    end = to_days(START + timedelta(days=SHAPE["length"] + 2))
    world = training_world(config, dataset, train_end=end, cuts=(end,))
    return _epochs(world, config, folder, Windows(to_days(START), end, end, 28.0))


def _epochs(world: World, config: TrainingConfig, folder: Path, windows: Windows) -> list[float]:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    task = NextVisit(world)
    shape = shape_of(world, calendar=True)
    model, lessons = Model(shape, task.head(shape), world.vocabulary), EventLessons(world, windows, task)
    fitter = Fitter(config, folder, ProgressWriter(folder), StopFlag())
    optimizer, seconds = fitter.optimizer(model), []
    for epoch in range(SHAPE["epochs"]):
        clock = time.process_time()
        for number, batches in enumerate(fitter.epoch("pretraining", lessons, epoch)):
            fitter.step(model, lessons, optimizer, batches, (0, epoch, number), config.learning_rate)
        seconds.append(time.process_time() - clock)
    return seconds


def rectools(rows: pl.DataFrame, folder: Path, command: str) -> list[float]:
    """CPU seconds of each epoch of SASRec."""
    moments = rows["day"].to_numpy() * 86_400
    np.savez(
        folder / "interactions.npz", user=rows["user"].to_numpy(), item=rows["item"].to_numpy(), time=moments
    )
    (folder / "shape.json").write_text(json.dumps(SHAPE))
    subprocess.run([command, SCRIPT, folder], check=True)
    found: list[float] = json.loads((folder / "seconds.json").read_text())
    return found


def line(model: str, rows: pl.DataFrame, seconds: Sequence[float], data: str) -> float:
    speed = len(rows) / min(seconds[1:])
    report(
        figure="training throughput",
        value=speed,
        unit="events/CPU s",
        model=model,
        seed=SEED,
        events=len(rows),
        items=ITEMS,
        data=data,
        **cast(dict[str, Any], SHAPE),
    )
    return speed


def main() -> None:
    command = python()
    for ragged in (False, True):
        rows, data = sequences(ragged), "made: 3 to 51 items" if ragged else "made: 51 items each"
        with tempfile.TemporaryDirectory() as text:
            mine = line("ours, transformer", rows, ours(rows, Path(text)), data)
            if command is None:
                skip(figure="training throughput: RecTools", why="Name its Python in RECTOOLS_PYTHON.")
                continue
            theirs = line("RecTools SASRec", rows, rectools(rows, Path(text), command), data)
        report(
            figure="training throughput, ours", value=mine / theirs, unit="of RecTools SASRec's", data=data
        )


if __name__ == "__main__":
    main()
