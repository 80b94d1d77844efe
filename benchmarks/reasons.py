"""Whether every reason told on Online Retail II is true, and what finding reasons costs.

    python -m benchmarks.reasons [--cutoffs 2011-09-09] [--backbone mf] [--artifact RUN/artifact]

A model is trained as it is shipped, or opened, and answers for every customer; `neural.reasons.checking`
counts every fact again from the raw events.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.fine_tuning import DATA, retail_dataset, shipped_config
from benchmarks.ours import run_command
from benchmarks.report import report
from handoff.config import BACKBONES, TrainingConfig
from handoff.dataset import Dataset
from neural.artifacts import Opened, open_artifact
from neural.data.world import World
from neural.reasons.checking import check_reasons
from neural.reasons.evidence import reasons_for
from neural.reasons.market import Market
from neural.scoring import INSTANT
from neural.windows import parse_time, to_days

AT_ONCE = 256  # customers


def measure(dataset: Dataset, artifact: Path, cutoff: str) -> None:
    """Answer for every customer as of the cut-off, check what was told, and print the figures."""
    as_of = f"{cutoff}T00:00:00+00:00"
    moment = to_days(parse_time(as_of)) + INSTANT
    opened = open_artifact(artifact, artifact.parent, dataset, cuts=(moment - 30, moment))
    customers = dataset.customers().select("customer").collect()["customer"].to_list()
    shared: dict[str, Any] = {"data": DATA, "split": f"cut-off {cutoff}", "customers": len(customers)}
    clock = time.process_time()
    Market.of(opened.task.world, moment)
    report(figure="what others buy", value=_since(clock), unit="CPU seconds, once a scoring", **shared)
    clock = time.process_time()
    scores = opened.task.score(opened.model, opened.calibration, moment, customers)
    per_thousand = "CPU seconds per 1,000 customers"
    report(figure="scoring", value=_since(clock) / len(customers) * 1000, unit=per_thousand, **shared)
    report(figure="reasons alone", value=_alone(opened, scores, moment), unit=per_thousand, **shared)
    found = check_reasons(dataset, scores, as_of, opened.task.world.config.outcome_kinds)
    wrong = {"untrue": len(found.untrue), "examples": found.untrue[:5]}
    report(figure="true reasons", value=found.share_true, unit="share of all told", **shared, **wrong)
    for code, count in found.told.most_common():
        report(figure=f"reason {code}", value=count, unit="times told", **shared)


def _alone(opened: Opened, scores: pl.DataFrame, moment: float) -> float:
    """What finding the reasons of the same lists costs without anything else."""
    world: World = opened.task.world
    market, queries = Market.of(world, moment), world.with_history(moment)
    payloads = dict(scores.select("customer", "payload").iter_rows())
    number = {name: index for index, name in enumerate(world.vocabulary.products)}
    lists = np.full((len(queries), world.config.top_k), -1, np.int64)
    for row, customer in enumerate(queries.customer):
        items = json.loads(payloads[world.history.customers[customer]])["items"]
        lists[row, : len(items)] = [number[item["product"]] for item in items]
    clock = time.process_time()
    for begin in range(0, len(queries), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        reasons_for(world, market, queries.take(part), lists[part])
    return _since(clock) / max(len(queries), 1) * 1000


def _since(clock: float) -> float:
    return time.process_time() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutoffs", nargs="+", default=["2011-09-09"], help="ISO dates")
    parser.add_argument("--backbone", default="transformer", choices=BACKBONES)
    parser.add_argument("--artifact", type=Path, help="a trained model to ask, instead of training one")
    arguments = parser.parse_args()
    values = {**shipped_config("recommender"), "backbone": arguments.backbone}
    with retail_dataset() as folder:
        for cutoff in arguments.cutoffs:
            if arguments.artifact:
                measure(Dataset.open(folder), arguments.artifact.resolve(), cutoff)
                continue
            with tempfile.TemporaryDirectory() as run:
                raw = {**values, "dataset": str(folder), "test_cutoff": cutoff}
                TrainingConfig.from_mapping(raw).write(Path(run))
                run_command("train", run)
                measure(Dataset.open(folder), Path(run) / "artifact", cutoff)


if __name__ == "__main__":
    main()
