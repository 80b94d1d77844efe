"""The artifact of a fine-tuned model: written sealed, opened only after its hashes were checked."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from handoff.artifact import check_artifact, seal_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import publish_folder, read_json, write_json
from handoff.profiles import Reference
from neural.calibration import Calibration
from neural.compression.storage import Weights, pack, unpack
from neural.data.attributes import NumberScale
from neural.data.cleaning import Limits
from neural.data.vocabulary import Vocabulary, read_vocabulary
from neural.data.world import World, scoring_world
from neural.encoder import Shape
from neural.model import Model
from neural.tasks import find_task
from neural.tasks.base import Task

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Opened:
    """A model ready to answer about one dataset."""

    task: Task
    model: Model
    calibration: Calibration
    windows: dict[str, list[str]]


def write_artifact(
    folder: Path,
    *,
    task: Task,
    model: Model,
    calibration: Mapping[str, Any],
    windows: Mapping[str, Any],
    card: Mapping[str, Any],
    reference: Reference | None = None,
) -> None:
    """Write and seal the artifact in one rename."""
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    world = task.world
    save_file(pack(model.state_dict(), world.config.export), temporary / WEIGHTS)
    world.config.write(temporary)
    world.vocabulary.write(temporary)
    if world.config.text_model:
        from neural.text.products import keep_texts  # transformers takes seconds to import

        kept = keep_texts(world.vocabulary, world.config.text_model, temporary)
        write_json(temporary / "product_texts.json", kept)
    write_json(
        temporary / "model.json",
        {
            "shape": asdict(model.encoder.shape),
            "learnt": task.learnt,
            "scale": asdict(world.scale),
            "limits": asdict(world.limits),
            "windows": windows,
        },
    )
    write_json(temporary / "calibration.json", calibration)
    write_json(temporary / "model_card.json", card)
    if reference is not None:
        reference.write(temporary)
    seal_artifact(temporary)
    publish_folder(temporary, folder)


def read_learnt(
    folder: Path, dataset: Dataset, vocabulary: Vocabulary | None = None
) -> tuple[Vocabulary, NumberScale, Limits]:
    """What an artifact says of products and numbers; the dataset's other products too, where not given."""
    learnt = read_json(folder / "model.json")
    scale, limits = NumberScale(**learnt["scale"]), Limits(**learnt.get("limits", {}))
    if vocabulary is not None:
        return vocabulary, scale, limits
    vocabulary, config = read_vocabulary(folder, dataset), TrainingConfig.read(folder)
    if config.text_model:
        from neural.text.products import with_kept_texts  # as above

        vocabulary = with_kept_texts(vocabulary, config.text_model, folder)
    return vocabulary, scale, limits


def read_world(
    folder: Path,
    dataset: Dataset,
    *,
    cuts: Sequence[float],
    shard: int | None = None,
    crowd: World | None = None,
) -> World:
    """Read the dataset as the artifact's model sees it: all of it, or a shard before the `crowd`."""
    config = TrainingConfig.read(folder)
    vocabulary, scale, limits = read_learnt(folder, dataset, crowd.vocabulary if crowd else None)
    return scoring_world(config, dataset, vocabulary, scale, limits, cuts=cuts, shard=shard, crowd=crowd)


def open_artifact(
    folder: Path,
    root: Path,
    dataset: Dataset,
    *,
    cuts: Sequence[float],
    shard: int | None = None,
    crowd: World | None = None,
) -> Opened:
    """Open a model for a dataset read up to the last of `cuts`; with a `crowd`, for a shard of it alone.

    Raises HandoffError for an artifact outside `root`, damaged, or with files its manifest does not list.
    """
    check_artifact(folder, root=root)
    config, raw = TrainingConfig.read(folder), read_json(folder / "model.json")
    task = open_task(folder, dataset, cuts=cuts, shard=shard, crowd=crowd)
    world, shape = task.world, Shape(**raw["shape"])
    model = Model(shape, task.head(shape), world.vocabulary)
    model.load_state_dict(read_weights(folder))
    torch.set_num_threads(config.threads)
    model.to(choose_device(config.device)).eval()
    return Opened(task, model, read_json(folder / "calibration.json"), raw["windows"])


def open_task(
    folder: Path,
    dataset: Dataset,
    *,
    cuts: Sequence[float],
    shard: int | None = None,
    crowd: World | None = None,
) -> Task:
    """Make an artifact's task over a dataset, without its model; the caller has checked the artifact."""
    task_class = find_task(TrainingConfig.read(folder).task)
    alone = task_class.own_shard_only or crowd is not None
    world = read_world(folder, dataset, cuts=cuts, shard=shard if alone else None, crowd=crowd)
    return task_class(world, read_json(folder / "model.json")["learnt"])


def read_weights(folder: Path) -> Weights:
    """Return an artifact's weights in float32, however they are stored."""
    return unpack(load_file(folder / WEIGHTS))


def choose_device(name: str) -> torch.device:
    """ "auto" is the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
