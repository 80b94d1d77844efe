"""Everybody, as far as scoring a part of them asks: worked out once, kept, shared by all who score.

A scoring has as many processes as the dataset has shards. The first of them reads everybody, shard by
shard, and keeps what its task works out of them; the others, and later processes, map that into memory.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import publish_folder, read_json, sha256_of
from neural.artifacts import read_learnt
from neural.data.autoencoder import Autoencoder
from neural.data.pieces import Pieces
from neural.data.trends import Trends
from neural.data.vocabulary import Vocabulary
from neural.data.world import World, everyone_world, nobody
from neural.reasons.circles import Circles
from neural.reasons.market import Market
from neural.reasons.newcomers import FirstOrders
from neural.reasons.together import Together
from neural.shelf import put, take
from neural.tasks import find_task

CLASSES = (Market, Together, Circles, FirstOrders, Trends, Vocabulary, Autoencoder, Pieces)


def crowd_for(place: Path, artifact: Path, dataset: Dataset, cuts: Sequence[float]) -> World:
    """Return everybody in `dataset` before `cuts` for the artifact's task, from a folder below `place`.

    Who comes first makes it, and who comes meanwhile waits. The name of the folder tells of what it was
    made, so any number of them may lie side by side. The caller has checked the artifact.
    """
    folder = place / f"market-{_name(artifact, dataset, cuts)}"
    with _alone(folder):
        if not folder.exists():
            _make(folder, artifact, dataset, cuts)
    return _read(folder, artifact, dataset, cuts)


def _name(artifact: Path, dataset: Dataset, cuts: Sequence[float]) -> str:
    parts = (sha256_of(artifact / "manifest.json"), dataset.manifest.sha256, *map(repr, cuts))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The kernel lets go of the lock when its holder ends, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def _make(folder: Path, artifact: Path, dataset: Dataset, cuts: Sequence[float]) -> None:
    config, learnt = TrainingConfig.read(artifact), read_json(artifact / "model.json")["learnt"]
    vocabulary, scale, limits = read_learnt(artifact, dataset)
    everyone = everyone_world(config, dataset, vocabulary, scale, limits, cuts=cuts)
    find_task(config.task)(everyone, learnt).work_out(max(cuts))
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    kept = {
        "vocabulary": vocabulary,
        "words": everyone.traits.words,
        "trends": everyone.trends,
        "first_sale": everyone.first_sale,
        "worked_out": everyone.worked_out,
    }
    put(temporary, kept)
    publish_folder(temporary, folder)


def _read(folder: Path, artifact: Path, dataset: Dataset, cuts: Sequence[float]) -> World:
    kept: dict[str, Any] = take(folder, CLASSES)
    _, scale, limits = read_learnt(artifact, dataset, kept["vocabulary"])
    config = TrainingConfig.read(artifact)
    world = nobody(config, dataset, kept["vocabulary"], scale, limits, cuts=cuts, words=kept["words"])
    vars(world).update({name: kept[name] for name in ("trends", "first_sale", "worked_out")})
    return world
