"""`python -m neural judge`: scores of the past against what has happened since."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import write_json
from handoff.outcomes import KEPT, VERSION
from neural.artifacts import open_task
from neural.courses import COURSES
from neural.scoring import INSTANT
from neural.tasks.base import Realised
from neural.windows import parse_time, to_days

TENTHS = 10


def judge(
    artifact: Path, dataset_folder: Path, *, root: Path, scores: Path, as_of: str, out: Path
) -> dict[str, Any]:
    """Compare kept scores with the horizon after `as_of` and write the record of `handoff.outcomes`.

    Raises HandoffError where the dataset ends before the horizon does, or the scores are none.
    """
    check_artifact(artifact, root=root)
    dataset, config = Dataset.open(dataset_folder), TrainingConfig.read(artifact)
    if config.task in COURSES:
        raise HandoffError(f"A model of the task {config.task} foretells nothing: evaluate it on new labels.")
    moment = parse_time(as_of)
    until = moment + timedelta(days=config.horizon_days)
    if parse_time(dataset.manifest.watermark) < until:
        raise HandoffError(
            f"{dataset_folder} ends at {dataset.manifest.watermark}; what the scores of {moment.isoformat()} "
            f"foretold is known from {until.isoformat()} on. Take a newer snapshot."
        )
    frame = _read(scores)
    start = to_days(moment) + INSTANT
    task = open_task(artifact, dataset, cuts=(start, start + config.horizon_days))
    found = task.realised(frame, start)
    record: dict[str, Any] = {
        "version": VERSION,
        "as_of": moment.isoformat(),
        "until": until.isoformat(),
        "customers": len(found.customers),
        "metrics": found.metrics,
        "baselines": found.baselines,
        "tenths": _tenths(frame, found),
    }
    if tiers := _tiers(frame, found):
        record["tiers"] = tiers
    write_json(out, record)
    return record


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path).select(KEPT.names()).cast(KEPT)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HandoffError(f"{path} holds no kept scores: {error}.") from error


def _happened(frame: pl.DataFrame, found: Realised) -> pl.DataFrame:
    """The scores of those who count, with what happened."""
    truth = pl.DataFrame(
        {"customer": found.customers, "happened": found.happened},
        schema={"customer": pl.String, "happened": pl.Boolean},
    )
    return frame.join(truth, on="customer", how="inner")


def _tiers(frame: pl.DataFrame, found: Realised) -> dict[str, dict[str, int]]:
    """How many of each tier there were, and of how many it came true."""
    known = _happened(frame, found).filter(pl.col("tier").fill_null("") != "")
    counted = known.group_by("tier").agg(pl.len(), pl.col("happened").sum())
    return {
        tier: {"customers": rows, "happened": hits} for tier, rows, hits in counted.sort("tier").iter_rows()
    }


def _tenths(frame: pl.DataFrame, found: Realised) -> list[dict[str, float]]:
    """Tenths of the customers by score, the highest first; equal scores in the order of names."""
    ordered = _happened(frame, found).sort(["score", "customer"], descending=[True, False], nulls_last=True)
    size = len(ordered)
    parts = [ordered[size * i // TENTHS : size * (i + 1) // TENTHS] for i in range(TENTHS)]
    return [
        {
            "lowest": float(part["score"].to_list()[-1] or 0.0),
            "customers": len(part),
            "happened": int(part["happened"].sum()),
        }
        for part in parts
        if len(part)
    ]
