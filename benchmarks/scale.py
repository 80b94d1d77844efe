"""Scoring a large shop: seconds and peak memory of every process, one for each shard.

    python -m benchmarks.simulated /tmp/shop --customers 1000000 --products 100000 --shards 64
    python -m benchmarks.simulated /tmp/small --customers 2000 --products 100000 --shards 2
    python -m benchmarks.scale /tmp/shop --train-on /tmp/small [--only 2]

The model is trained for one epoch on the small shop: its weights do not decide what scoring costs. The
first shard's process also works out what all need of everybody. Shards run one after the other, in one
thread; with --only so many of them, and the whole shop's time is then what they took, in proportion.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.fine_tuning import shipped_config
from benchmarks.report import report
from handoff.config import TrainingConfig
from handoff.dataset import Dataset

ONE_THREAD = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def child(arguments: list[str]) -> dict[str, float]:
    """Run a command to its end and say what it took."""
    clock = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "neural", *arguments], env={**os.environ, **ONE_THREAD})
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"python -m neural {arguments[0]} ended with status {status}.")
    return {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.monotonic() - clock, 1),
        "peak_mb": used.ru_maxrss // 1024,
    }


def train(dataset: Path, folder: Path) -> Path:
    """A recommender as it is shipped, after one epoch."""
    values: dict[str, Any] = {**shipped_config("recommender"), "epochs": 1, "pretrain_epochs": 0}
    values |= {"dataset": str(dataset), "baselines": ["popularity"], "device": "cpu", "top_k": 50}
    folder.mkdir()
    TrainingConfig.from_mapping(values).write(folder)
    cost = child(["train", str(folder)])
    report(figure="training one epoch", value=cost["cpu_seconds"], unit="CPU s", data=_named(dataset), **cost)
    return folder / "artifact"


def score(dataset: Path, artifact: Path, folder: Path, only: int) -> None:
    manifest = Dataset.open(dataset).manifest
    per_customer, data = [], _named(dataset)
    for shard in range(min(only or manifest.shards, manifest.shards)):
        out = folder / f"shard-{shard:04d}.parquet"
        arguments = ["score", str(artifact), str(dataset), "--root", str(artifact.parent.parent)]
        arguments += ["--shard", str(shard), "--as-of", str(manifest.last_event), "--out", str(out)]
        cost = child(arguments)
        customers = pl.scan_parquet(out).select(pl.len()).collect().item()
        kept = sum(file.stat().st_size for file in folder.glob("market-*/*")) / 2**20
        report(
            figure="scoring the first shard, and what all need" if shard == 0 else "scoring a shard",
            value=customers / cost["cpu_seconds"],
            unit="customers/CPU s",
            data=data,
            shard=shard,
            of=manifest.shards,
            customers=customers,
            kept_mb=round(kept),
            **cost,
        )
        if shard:
            per_customer.append(cost["cpu_seconds"] / max(customers, 1))
    if per_customer:
        hours = sum(per_customer) / len(per_customer) * manifest.customers / 3600
        report(figure="scoring everybody, in proportion", value=hours, unit="CPU h", data=data)


def _named(dataset: Path) -> str:
    manifest = Dataset.open(dataset).manifest
    return f"{manifest.customers} customers, {manifest.products} products, {manifest.events} events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--train-on", type=Path, help="a small shop with a catalogue of the same size")
    chosen.add_argument("--artifact", type=Path, help="a trained version's folder instead")
    parser.add_argument("--only", type=int, default=0, help="the first so many shards")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        artifact = asked.artifact or train(asked.train_on, Path(folder) / "run")
        score(asked.dataset, artifact, Path(folder) / "scores", asked.only)


if __name__ == "__main__":
    main()
