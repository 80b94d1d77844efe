"""`python -m neural score` and `evaluate`: a sealed model's answers about a dataset."""

from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset, shard_of
from handoff.errors import HandoffError
from handoff.files import write_bytes, write_json
from handoff.predictions import write_predictions
from handoff.profiles import Reference, profile_path
from handoff.scores import SCORES, side_path
from neural.artifacts import Opened, open_artifact
from neural.courses import COURSES
from neural.crowds import crowd_for
from neural.evaluation.intervals import intervals
from neural.profiles import make_profile
from neural.tasks import find_task
from neural.windows import Windows, parse_time, to_days

INSTANT = 1 / 86_400_000  # a millisecond: an event at `as_of` itself is known


def score(artifact: Path, dataset_folder: Path, *, root: Path, shard: int, as_of: str, out: Path) -> int:
    """Answer for every customer of one shard and write the score file in one step. Returns the rows."""
    dataset = Dataset.open(dataset_folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    moment = to_days(parse_time(as_of)) + INSTANT
    customers = _customers(dataset, shard)
    if TrainingConfig.read(artifact).task in COURSES:
        frame = _labelled(artifact, dataset, root, moment, shard, customers)
        _write(frame, out)
        return len(frame)
    opened = _open(artifact, root, dataset, moment, shard, out.parent)
    place = {"shard": shard, "shards": dataset.manifest.shards}
    frame, sides = opened.task.score_with_sides(opened.model, opened.calibration, moment, customers, **place)
    reference = Reference.read(artifact)
    if reference is not None:
        scores = dict(frame.select("customer", "score").iter_rows())
        make_profile(reference, opened.task, dataset, moment, scores).write(profile_path(out))
    for name, side in sides.items():
        _write_parquet(side, side_path(out, name))
    _write(frame, out)
    return len(frame)


def _open(artifact: Path, root: Path, dataset: Dataset, moment: float, shard: int, place: Path) -> Opened:
    """Open a model for one shard. What it asks of the others' customers is kept in `place` for all shards."""
    cuts, crowd = (moment - 30.0, moment), None
    if dataset.manifest.shards > 1 and not find_task(TrainingConfig.read(artifact).task).own_shard_only:
        check_artifact(artifact, root=root)
        crowd = crowd_for(place, artifact, dataset, cuts)
    return open_artifact(artifact, root, dataset, cuts=cuts, shard=shard, crowd=crowd)


def answers_of_shard(artifact: Path, dataset: Dataset, shard: int, as_of: str) -> pl.DataFrame:
    """Answer for every customer of one shard, in memory; SCORES."""
    moment = to_days(parse_time(as_of)) + INSTANT
    customers = _customers(dataset, shard)
    if TrainingConfig.read(artifact).task in COURSES:
        frame = _labelled(artifact, dataset, artifact.parent, moment, shard, customers)
        return frame.select(SCORES.names()).cast(SCORES)
    opened = open_artifact(artifact, artifact.parent, dataset, cuts=(moment - 30.0, moment), shard=shard)
    frame = opened.task.score(opened.model, opened.calibration, moment, customers)
    return frame.select(SCORES.names()).cast(SCORES)


def _labelled(
    artifact: Path, dataset: Dataset, root: Path, moment: float, shard: int, customers: list[str]
) -> pl.DataFrame:
    """What a text classifier says of the customers; SCORES."""
    from neural.text.scoring import label_customers  # transformers takes seconds to import

    return label_customers(artifact, dataset, root=root, as_of=moment, shard=shard, customers=customers)


def _customers(dataset: Dataset, shard: int) -> list[str]:
    """The shard's customers, those known by their events alone included."""
    seen = dataset.events(shard).select(pl.col("customer").unique()).collect()["customer"].to_list()
    shards = dataset.manifest.shards
    listed = dataset.customers().select("customer").collect()["customer"].to_list()
    return sorted({*seen, *(name for name in listed if shard_of(name, shards) == shard)})


def _write(frame: pl.DataFrame, out: Path) -> None:
    _write_parquet(frame.select(SCORES.names()).cast(SCORES).sort("customer"), out)


def _write_parquet(frame: pl.DataFrame, out: Path) -> None:
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_bytes(out, buffer.getvalue())


def evaluate(
    artifact: Path,
    dataset_folder: Path,
    *,
    root: Path,
    test_cutoff: str | None,
    out: Path,
    examples: Path | None = None,
) -> None:
    """Measure a sealed model on a dataset's window after `test_cutoff` (default: as in training).

    `examples` is a folder that gets what was said of each example, see `handoff.predictions`.
    """
    dataset = Dataset.open(dataset_folder)
    config = TrainingConfig.read(artifact)
    if config.task in COURSES:
        from neural.text.scoring import evaluate_labels  # as above

        write_json(out, evaluate_labels(artifact, dataset, root=root, test_cutoff=test_cutoff))
        return
    raw = {**vars(config), "test_cutoff": test_cutoff or config.test_cutoff}
    windows = Windows.choose(TrainingConfig.from_mapping(raw), dataset.manifest)
    opened = open_artifact(artifact, root, dataset, cuts=(windows.validation, windows.test, windows.end))
    trained_until = to_days(parse_time(opened.windows["train"][1]))
    if windows.validation < trained_until:
        raise HandoffError(
            f"test_cutoff lies too early: the model learnt from events up to {opened.windows['train'][1]}, "
            f"and its baselines need {config.horizon_days} days between."
        )
    test = opened.task.report(opened.model, opened.calibration, windows, windows.test)
    if examples is not None:
        write_predictions(examples, test.examples)
    record: dict[str, Any] = {
        "windows": windows.as_json(),
        "counts": {"test": test.count},
        "metrics": {"model": test.model, "baselines": test.baselines},
        "curves": test.curves,
        "intervals": intervals(test.examples),
    }
    write_json(out, record)
