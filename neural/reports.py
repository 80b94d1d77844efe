"""What a run tells about itself: `evaluation.json` and the model card."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset, Manifest
from handoff.predictions import write_predictions
from neural.evaluation.intervals import intervals
from neural.evaluation.slices import weakest_first, with_slices
from neural.fitting import State
from neural.tasks.base import Report
from neural.windows import Windows


def evaluation_record(
    windows: Windows,
    examples: int,
    validation: Report,
    test: Report,
    state: State,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The content of `evaluation.json`: the test window's figures, the validation window's beside them.

    "intervals" and "slices" are made of the test window's examples, see `neural.evaluation`.
    """
    empty: dict[str, Any] = {"calibration": [], "roc": [], "pr": [], "histogram": [], "confusion": None}
    return {
        "windows": windows.as_json(),
        "counts": {"train": examples, "validation": validation.count, "test": test.count},
        "metrics": {"model": test.model, "baselines": test.baselines},
        "validation": {"model": validation.model, "baselines": validation.baselines},
        "curves": {**empty, **test.curves, "learning": state.curve or []},
        "intervals": intervals(test.examples),
        "slices": weakest_first(test.examples, test.sliced_by) if test.sliced_by else {},
        "seconds": dict(seconds),
    }


def keep_examples(folder: Path, report: Report, dataset: Dataset, config: TrainingConfig) -> Report:
    """Write what was said of each example beside the artifact; return the report with its slices' columns."""
    if report.examples.is_empty():
        return report
    examples = with_slices(report.examples, dataset, config)
    write_predictions(folder, examples)
    return replace(report, examples=examples)


def model_card(
    config: TrainingConfig, manifest: Manifest, record: Mapping[str, Any], state: State
) -> dict[str, Any]:
    """What the model is, what it was trained on and how it did."""
    return {
        "agent": config.agent,
        "task": config.task,
        "backbone": config.backbone,
        "config": asdict(config),
        "data": {
            "sha256": manifest.sha256,
            "watermark": manifest.watermark,
            "events": manifest.events,
            "customers": manifest.customers,
            "products": manifest.products,
            "currency": manifest.currency,
        },
        "windows": record["windows"],
        "counts": record["counts"],
        "metrics": record["metrics"],
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "steps": state.total,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "polars": pl.__version__,
    }
