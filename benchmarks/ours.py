"""Our own model on a split: trained and scored by the product's commands, each a process of its own."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from benchmarks.peers.log import Array, Ints
from benchmarks.results import Result
from benchmarks.split import Scorer, Split
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.predictions import read_predictions
from neural.artifacts import open_artifact
from neural.data.world import Queries
from neural.prediction import answers
from neural.tasks.next_product import NextProduct

METRICS = tuple(
    f"{name}{suffix}" for suffix in ("", "_new") for name in ("ndcg@10", "recall@10", "recall@20", "map@10")
)


def measure_ours(
    split: Split, cutoff: str, dataset: Path, values: Mapping[str, Any], *, cold: bool = True
) -> Result:
    """Train on what lies before the cut-off, score every customer, and read what the run says of each.

    Fitting counts the whole of `python -m neural train`, its evaluation included; scoring the whole of
    `python -m neural score`, with reasons and calibrated chances.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        raw = {**values, "dataset": str(dataset), "test_cutoff": cutoff, "baselines": []}
        TrainingConfig.from_mapping(raw).write(run)
        fit = run_command("train", run)
        score = sum(
            run_command(
                *("score", run / "artifact", dataset, "--root", run, "--shard", shard, "--as-of", cutoff),
                *("--out", run / f"scores-{shard}.parquet"),
            )
            for shard in range(Dataset.open(dataset).manifest.shards)
        )
        names = tuple(split.log.names[number] for number in split.customers)
        found = _rows(run, names)
        if cold:
            found.update(split.cold_values(_scorer(run / "artifact", dataset, split)))
        found["one_basket"] = split.one_basket.astype(float)
        return Result(values["backbone"], cutoff, names, found, fit, score, ours=True, seed=values["seed"])


def run_command(*command: Any) -> float:
    """Run a command of `neural` and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "neural", *(str(part) for part in command)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _rows(run: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The run's own figures of each customer, in the order of `names`."""
    told = read_predictions(run / "predictions.parquet")
    if set(told["customer"]) != set(names):
        raise ValueError("The run was measured on other customers than the peers are.")
    asked = pl.DataFrame({"customer": names}).join(told, on="customer", how="left", maintain_order="left")
    return {name: asked[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in METRICS}


def _scorer(artifact: Path, dataset: Path, split: Split) -> Scorer:
    """The sealed model's score of every product of the catalogue; what was never sold has a lent one."""
    cuts = (split.moment, split.moment + split.horizon)
    opened = open_artifact(artifact, artifact.parent, Dataset.open(dataset), cuts=cuts)
    task = cast(NextProduct, opened.task)
    lenders = task._lenders(split.moment)  # the product's own, so that both rank alike
    world, places = task.world, {code: place for place, code in enumerate(split.log.codes)}
    products = np.array([places.get(code, -1) for code in world.vocabulary.products])
    numbers = {name: number for number, name in enumerate(world.history.customers)}

    def rank(customers: Ints) -> Array:
        asked = np.array([numbers[split.log.names[customer]] for customer in customers])
        queries = Queries(asked, np.full(len(asked), split.moment))
        found = np.full((len(customers), split.log.products), -np.inf, np.float32)
        for index, _, answer in answers(opened.model, world, queries, task.inputs, split.log.products):
            scores = lenders.lend(answer)
            found[np.ix_(index, products[products >= 0])] = scores[:, products >= 0]
        return found

    return rank
