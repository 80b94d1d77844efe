"""Run `python -m neural train` on Online Retail II and report its figures beside the baselines'."""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

from benchmarks.peers import Peer
from benchmarks.report import report
from benchmarks.retail import read_rows, write_dataset
from handoff.config import BACKBONES, TrainingConfig
from handoff.dataset import Dataset
from handoff.files import read_json
from neural.data.world import World, training_world
from neural.windows import Windows

DATA = "Online Retail II (UCI 502), clean lines, product codes"


def parse(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="one cut-off, transformer only")
    parser.add_argument("--seeds", type=int, default=1, help="repeat with so many seeds")
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES), choices=BACKBONES)
    parser.add_argument("--cutoffs", nargs="+", help="ISO dates instead of the usual ones")
    return parser.parse_args()


def shipped_config(agent: str) -> dict[str, Any]:
    """The recipe as staff get it, so that what is measured is what is delivered."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")
    django.setup()
    from crm_agents.recipes import get_recipe

    return {"agent": agent, **get_recipe(agent).defaults()}


@contextmanager
def retail_dataset() -> Iterator[Path]:
    """The file as a dataset folder, removed afterwards."""
    rows = read_rows()
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "dataset", rows)
        yield Path(folder) / "dataset"


def test_world(dataset: Path, values: Mapping[str, Any]) -> World:
    """The same rows and windows that `python -m neural train` sees."""
    config = TrainingConfig.from_mapping({**values, "dataset": str(dataset)})
    opened = Dataset.open(dataset)
    windows = Windows.choose(config, opened.manifest)
    cuts = (windows.validation, windows.test, windows.end)
    return training_world(config, opened, train_end=windows.validation, cuts=cuts)


def measure(dataset: Path, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Train once in a process of its own; return its evaluation and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        TrainingConfig.from_mapping({**values, "dataset": str(dataset)}).write(run)
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([sys.executable, "-m", "neural", "train", str(run)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = {
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            "wall_seconds": round(time.monotonic() - clock, 1),
            "peak_mb": after.ru_maxrss // 1024,  # of the largest child so far
        }
        return read_json(run / "evaluation.json"), cost


def compare(
    dataset: Path,
    values: Mapping[str, Any],
    *,
    cutoffs: Sequence[str],
    backbones: Sequence[str],
    seeds: int,
    figures: Sequence[str],
    peers: Callable[[World, str], Iterator[Peer]],
) -> None:
    """Print a line for every cut-off, model, baseline, peer and figure."""
    for cutoff in cutoffs:
        for peer in peers(test_world(dataset, {**values, "test_cutoff": cutoff}), cutoff):
            shared = {"data": DATA, "split": f"cut-off {cutoff}", "cpu_seconds": round(peer.cpu_seconds, 1)}
            _lines(values["agent"], peer.metrics, figures, model=peer.name, seed=0, **shared)
        printed = False
        for backbone in backbones:
            for seed in range(seeds):
                config = {**values, "test_cutoff": cutoff, "backbone": backbone, "seed": seed}
                record, cost = measure(dataset, config)
                shared = {"data": DATA, "split": f"cut-off {cutoff}", "customers": record["counts"]["test"]}
                for name, found in [] if printed else record["metrics"]["baselines"].items():
                    _lines(values["agent"], found, figures, model=name, **shared)
                printed = True
                extra = {**shared, **cost, "seconds": record["seconds"], "seed": seed}
                _lines(values["agent"], record["metrics"]["model"], figures, model=backbone, **extra)


def _lines(agent: str, found: Mapping[str, Any], figures: Sequence[str], **extra: Any) -> None:
    for name in figures:
        report(figure=f"{agent} {name}", value=found[name], unit="share", **extra)
