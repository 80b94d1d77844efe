"""Warm start: a run that begins from the weights of an earlier artifact instead of from chance.

The encoder reads the events of one CRM whatever is asked of it, so an artifact of another agent serves as
well. Products, kinds, categories and attributes are matched by name; what the earlier model did not know
keeps its initialisation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from handoff.files import read_json, sha256_of
from neural.artifacts import read_weights
from neural.data.world import World
from neural.encoder import Convolutions, Encoder, Recurrent, Shape, Transformer
from neural.model import Model
from neural.windows import Windows, parse_time, to_days, to_iso

PRUNED = ("layers", "heads", "head_width", "units")  # sizes that compression may have changed
INSTANT = 1 / 86_400  # days: times are written in whole seconds

Weights = dict[str, Tensor]
Pairs = tuple[list[int], list[int]]  # places in the new weights, and in the old


@dataclass(frozen=True)
class Start:
    """An earlier artifact: its weights, and the names that its rows and columns stand for."""

    folder: Path
    config: TrainingConfig
    shape: dict[str, Any]
    products: list[str]
    kinds: list[str]
    categories: list[str]
    facts: list[str]
    weights: Weights


def read_start(config: TrainingConfig, windows: Windows, root: Path | None) -> Start:
    """Open the artifact that `config.start` names.

    Raises HandoffError where it lies outside `root`, is damaged, was built in another size, or has seen
    the days that this run is tested on.
    """
    folder = Path(config.start)
    if root is None:
        raise HandoffError(f"start is {folder}: name with --root the folder under which artifacts may lie.")
    check_artifact(folder, root=root)
    raw, vocabulary = read_json(folder / "model.json"), read_json(folder / "vocabulary.json")
    if "shape" not in raw or "products" not in vocabulary:
        raise HandoffError(f"start {folder} is no model of events: choose a version of such an agent.")
    before = TrainingConfig.read(folder)
    _same_size(config, folder, before)
    _of_the_past(windows, folder, raw["windows"])
    return Start(
        folder,
        before,
        raw["shape"],
        vocabulary["products"],
        vocabulary["kinds"],
        vocabulary["categories"],
        sorted(raw["scale"]["mean"]),
        read_weights(folder),
    )


def _same_size(config: TrainingConfig, folder: Path, before: TrainingConfig) -> None:
    """What both were asked for; what pruning made of it since is taken over with the weights."""
    names = ["backbone", "width"] + {"mf": [], "transformer": ["layers", "heads"]}.get(
        config.backbone, ["layers"]
    )
    for name in names:
        mine, theirs = getattr(config, name), getattr(before, name)
        if mine != theirs:
            raise HandoffError(
                f"{name} is {mine!r}, but start {folder} has {theirs!r}: "
                f"set {name} to {theirs!r}, or choose another start."
            )


def _of_the_past(windows: Windows, folder: Path, before: dict[str, list[str]]) -> None:
    """A model that was fitted or chosen on the days of this run's test would know the answers.

    One fitted on the days of its validation, as with a shorter horizon, would choose and calibrate on them.
    """
    fitted, until = (to_days(parse_time(before[name][1])) for name in ("train", "validation"))
    if until > windows.test + INSTANT:
        raise HandoffError(
            f"start {folder} was chosen on events up to {before['validation'][1]}, and this run is tested on "
            f"those from {to_iso(windows.test)} on: choose a start that was trained on earlier data, or the "
            "same test_cutoff."
        )
    if fitted > windows.validation + INSTANT:
        raise HandoffError(
            f"start {folder} learnt from events up to {before['train'][1]}, and this run is validated on "
            f"those from {to_iso(windows.validation)} on: choose a start that was trained on earlier data, "
            "or a later test_cutoff."
        )


def in_size_of(shape: Shape, start: Start) -> Shape:
    """The shape of a run's encoder with the sizes of the one that it starts from."""
    return replace(shape, **{name: start.shape.get(name, getattr(shape, name)) for name in PRUNED})


def take_over(encoder: Encoder, model: Model, world: World, start: Start) -> dict[str, Any]:
    """Copy what fits into `encoder` and the head of `model`. Returns what was taken over, for the record."""
    known = world.vocabulary.products[: world.vocabulary.known]
    products = _matched(["", *known], ["", *start.products])  # row 0: products never seen in training
    old = {name: value for name, value in start.weights.items() if name.startswith("encoder.")}
    fresh = encoder.state_dict()
    for name, value in fresh.items():
        if f"encoder.{name}" in old:
            fresh[name] = _mapped(name, value, old[f"encoder.{name}"], products, world, start)
    encoder.load_state_dict(fresh)
    if encoder.products.by_words is not None and not start.config.text_model:
        _split_by_words(encoder, model.text[: len(known)], products)
    head = _take_head(model, products, world, start)
    return {
        "sha256": sha256_of(start.folder / "manifest.json"),
        "agent": start.config.agent,
        "task": start.config.task,
        "products": len(products[0]) - 1,
        "new_products": len(known) + 1 - len(products[0]),
        "head": head,
    }


@torch.no_grad()
def _split_by_words(encoder: Encoder, text: Tensor, products: Pairs) -> None:
    """Take what the words tell out of vectors that were learnt without them, or it would count twice."""
    own, by_words = encoder.products.own.weight, encoder.products.by_words
    whole = own[1:].clone()  # (K, D)
    fresh = torch.ones(len(own), dtype=torch.bool)
    fresh[products[0]] = False  # these are whole already
    if by_words is not None:
        whole += by_words(text) * fresh[1:, None]
    encoder.products.begin_at(whole, text)


def _mapped(name: str, fresh: Tensor, old: Tensor, products: Pairs, world: World, start: Start) -> Tensor:
    if name == "products.own.weight":
        return _with_rows(fresh, old, products)
    if name == "products.category.weight":
        return _with_rows(fresh, old, _matched(world.vocabulary.categories, start.categories))
    if name == "kind.weight":
        return _with_rows(fresh, old, _matched(world.vocabulary.kinds, start.kinds))
    if name == "backbone.place":  # a longer or shorter history
        return _with_rows(fresh, old, _common(len(fresh), len(old)))
    if name == "numbers.weight":  # with or without the calendar, whose columns stand last
        return _with_rows(fresh.T, old.T, _common(fresh.shape[1], old.shape[1])).T.contiguous()
    if name == "facts.weight":  # two columns for each numeric attribute: value, and whether it is known
        new, before = (
            [f"{fact} {part}" for fact in facts for part in (0, 1)] for facts in _facts(world, start)
        )
        return _with_rows(fresh.T, old.T, _matched(new, before)).T.contiguous()
    if name == "products.by_words.weight" and start.config.text_model != world.config.text_model:
        return fresh  # another model's vectors mean other things
    if fresh.shape != old.shape:
        raise HandoffError(
            f"start {start.folder} has {name} of {tuple(old.shape)}, the run needs {tuple(fresh.shape)}: "
            "it was built in another size."
        )
    return old


def _facts(world: World, start: Start) -> tuple[list[str], list[str]]:
    return sorted(world.scale.mean), start.facts


def _take_head(model: Model, products: Pairs, world: World, start: Start) -> bool:
    """Copy the head of the same task, where it was built in the same shape from the same kinds of events."""
    if start.config.task != world.config.task or start.kinds != world.vocabulary.kinds:
        return False
    fresh = model.head.state_dict()
    by_product = {
        f"{name}.weight"
        for name, module in model.head.named_modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == world.vocabulary.known + 1
    }
    for name, value in fresh.items():
        old = start.weights.get(f"head.{name}")
        if old is None or (old.shape != value.shape and name not in by_product):
            return False
        fresh[name] = _with_rows(value, old, products) if name in by_product else old
    model.head.load_state_dict(fresh)
    return True


def _matched(new: Sequence[str], old: Sequence[str]) -> Pairs:
    """Places of the names that both know."""
    place = {name: number for number, name in enumerate(old)}
    both = [(number, place[name]) for number, name in enumerate(new) if name in place]
    return [pair[0] for pair in both], [pair[1] for pair in both]


def _common(new: int, old: int) -> Pairs:
    shared = list(range(min(new, old)))
    return shared, shared


def _with_rows(fresh: Tensor, old: Tensor, pairs: Pairs) -> Tensor:
    """`fresh` with the rows of `old` where both have one. (N, D), (O, D) -> (N, D)"""
    result = fresh.clone()
    result[pairs[0]] = old[pairs[1]].to(fresh)
    return result


def freeze(encoder: Encoder, layers: int) -> None:
    """Keep the embeddings and the first `layers` of the backbone as they are; 0 leaves all to be trained."""
    if not layers:
        return
    for module in (
        encoder.products,
        encoder.kind,
        encoder.numbers,
        encoder.words,
        encoder.facts,
        encoder.enter,
    ):
        if module is not None:
            module.requires_grad_(False)
    for weight in _lowest(encoder.backbone, layers):
        weight.requires_grad_(False)


def _lowest(backbone: nn.Module, layers: int) -> Iterator[nn.Parameter]:
    """Weights of the layers nearest to the embeddings."""
    if isinstance(backbone, Transformer):
        yield backbone.place
        yield from backbone.blocks[:layers].parameters()
    elif isinstance(backbone, Convolutions):
        yield from backbone.norms[:layers].parameters()
        yield from backbone.convolutions[:layers].parameters()
    elif isinstance(backbone, Recurrent):
        for name, weight in backbone.gru.named_parameters():  # "weight_ih_l0", …
            if int(name.rpartition("_l")[2]) < layers:
                yield weight
