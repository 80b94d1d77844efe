"""RecTools' transformers, in a Python of their own: the environment variable `RECTOOLS_PYTHON` names it."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.peers.log import Ints, Log
from neural.evaluation.ranking import LENGTH
from neural.evaluation.recommending import Ranked

SCRIPT = Path(__file__).with_name("rectools_run.py")
NAMES = ("SASRec", "eSASRec")
DAY = 86_400  # seconds


def python() -> str | None:
    """The Python that has RecTools, or None."""
    named = os.environ.get("RECTOOLS_PYTHON")
    if named:
        return named
    return sys.executable if find_spec("rectools") else None


def recommend(log: Log, moment: float, asked: Ints, name: str, epochs: int) -> tuple[Ranked, float, float]:
    """Lists for the customers asked, and the CPU seconds of fitting and of scoring them."""
    found = python()
    if found is None:
        raise ImportError("rectools")
    part = log.before(moment)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        seconds = np.rint(log.time[part] * DAY).astype(np.int64)
        rows = {"user": log.customer[part], "item": log.product[part], "time": seconds}
        np.savez(folder / "interactions.npz", **rows)
        np.save(folder / "asked.npy", asked)
        subprocess.run([found, SCRIPT, folder, name, str(epochs)], check=True)
        lists, spent = np.load(folder / "lists.npz"), json.loads((folder / "seconds.json").read_text())
    ranked = [_lists(lists[kind], asked) for kind in ("overall", "fresh")]
    return Ranked(*ranked), spent["fit"], spent["score"]


def _lists(rows: Ints, asked: Ints) -> Ints:
    """(user, item, rank from 1) -> (Q, LENGTH)"""
    found = np.full((len(asked), LENGTH), -1, np.int64)
    found[np.searchsorted(asked, rows[:, 0]), rows[:, 2] - 1] = rows[:, 1]
    return found
