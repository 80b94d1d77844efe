"""A run that starts from an earlier artifact: what it takes over, what it refuses, what it freezes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from handoff.config import TrainingConfig
from handoff.dataset import CUSTOMERS, Dataset, write_table
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.progress import ProgressReader
from neural.courses import EventCourse
from neural.data.batches import NUMBERS
from neural.training import train
from neural.warmstart import read_start
from neural.windows import Windows, parse_time, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, SMALL, shop_rows, write_dataset
from tests.neural.test_run_folder import wait_for_steps

Configure = Callable[..., TrainingConfig]
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, shop: Dataset) -> Path:
    """A churn model of two layers, below the folder in which artifacts may lie."""
    folder = tmp_path_factory.mktemp("artifacts") / "run"
    values = {"dataset": str(shop.folder), **SMALL, **CHURN, "layers": 2}
    TrainingConfig.from_mapping(values).write(folder)
    train(folder)
    return folder.parent


@pytest.fixture
def config(root: Path, configure: Configure) -> Configure:
    def make(base: dict[str, Any] = CHURN, **values: Any) -> TrainingConfig:
        return configure(base, **{"layers": 2, "start": str(root / "run/artifact"), **values})

    return make


def old_weights(root: Path) -> Weights:
    return load_file(root / "run/artifact/weights.safetensors")


def course_of(config: TrainingConfig, root: Path | None) -> EventCourse:
    return EventCourse(config, Dataset.open(config.dataset), test=False, root=root)


def test_the_same_task_on_the_same_data_begins_with_every_weight(root: Path, config: Configure) -> None:
    course = course_of(config(), root)
    model, _ = course.begin()
    ours, theirs = model.state_dict(), old_weights(root)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert course.started is not None
    assert {name: course.started[name] for name in ("agent", "task", "products", "new_products", "head")} == {
        "agent": "churn",
        "task": "churn",
        "products": 30,
        "new_products": 0,
        "head": True,
    }


def test_another_task_takes_the_encoder_and_a_head_of_its_own(root: Path, config: Configure) -> None:
    """The churn encoder reads no calendar: what the columns say that both have is taken over."""
    course = course_of(config(NEXT_PRODUCT), root)
    encoder, theirs = course.begin()[0].encoder.state_dict(), old_weights(root)
    assert course.started is not None
    assert course.started["head"] is False
    numbers = encoder.pop("numbers.weight")
    assert torch.equal(numbers[:, :NUMBERS], theirs["encoder.numbers.weight"])
    assert numbers.shape[1] > NUMBERS
    assert all(torch.equal(encoder[name], theirs[f"encoder.{name}"]) for name in encoder)


def test_products_are_matched_by_name_and_new_ones_keep_their_initialisation(
    tmp_path: Path, root: Path, config: Configure
) -> None:
    """p00 is called a00 now, so that every product has another number, and nobody complains any more."""
    rows = [{**row, "product": "a00" if row["product"] == "p00" else row["product"]} for row in shop_rows()]
    rows = [row for row in rows if row["kind"] == "purchase"]
    dataset = write_dataset(tmp_path / "data", rows)
    fresh = course_of(config(start="", dataset=str(dataset.folder)), None)
    course = course_of(config(dataset=str(dataset.folder)), root)
    theirs = old_weights(root)
    before = read_json(root / "run/artifact/vocabulary.json")
    names = course.world.vocabulary.products
    ours, unused = (each.pretrained.encoder.state_dict() for each in (course, fresh))
    for number, name in enumerate(names):
        row = ours["products.own.weight"][number + 1]
        if name == "a00":
            assert torch.equal(row, unused["products.own.weight"][number + 1])
        else:
            place = before["products"].index(name) + 1
            assert torch.equal(row, theirs["encoder.products.own.weight"][place])
    kinds = [before["kinds"].index(kind) for kind in course.world.vocabulary.kinds]
    assert torch.equal(ours["kind.weight"], theirs["encoder.kind.weight"][kinds])
    categories = course.world.vocabulary.categories
    known = [number for number, name in enumerate(categories) if name in before["categories"]]
    places = [before["categories"].index(categories[number]) for number in known]
    assert len(known) == len(categories) - 1
    assert torch.equal(
        ours["products.category.weight"][known], theirs["encoder.products.category.weight"][places]
    )
    assert course.started is not None
    assert (course.started["products"], course.started["new_products"]) == (29, 1)
    assert course.started["head"] is False  # its table had a column for complaints


def test_the_recommenders_head_brings_each_products_own_bias(
    tmp_path: Path, root: Path, configure: Configure
) -> None:
    run = tmp_path / "run"
    configure(NEXT_PRODUCT).write(run)
    train(run)
    rows = [{**row, "product": "a00" if row["product"] == "p00" else row["product"]} for row in shop_rows()]
    dataset = write_dataset(tmp_path / "data", rows)
    start = configure(NEXT_PRODUCT, dataset=str(dataset.folder), start=str(run / "artifact"))
    model = course_of(start, tmp_path).model
    theirs = load_file(run / "artifact/weights.safetensors")["head.repeat_bias.weight"]
    ours = model.head.state_dict()["repeat_bias.weight"]
    assert theirs.abs().min() > 0 or theirs.abs().sum() > 0
    assert torch.equal(ours[0], theirs[0])
    assert not ours[1].any()  # a00, and biases begin at 0
    assert torch.equal(ours[2:], theirs[2:])  # p01 … stand where they stood, behind one product


@pytest.mark.parametrize("visits", [12, 48])
def test_a_longer_or_shorter_history_shares_its_places(visits: int, root: Path, config: Configure) -> None:
    course = course_of(config(max_visits=visits), root)
    places = course.pretrained.encoder.state_dict()["backbone.place"]
    shared = min(visits, 24)
    assert torch.equal(places[:shared], old_weights(root)["encoder.backbone.place"][:shared])
    assert len(places) == visits
    assert not places[shared:].any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 32}, r"width is 32, but start .* has 16: set width to 16, or choose another start\."),
        ({"backbone": "rnn"}, r"backbone is 'rnn', but start .* has 'transformer': set backbone to"),
        ({"layers": 1}, r"layers is 1, but start .* has 2: set layers to 2"),
        ({"heads": 4}, r"heads is 4, but start .* has 2: set heads to 2"),
    ],
)
def test_another_size_is_refused(changes: dict[str, Any], words: str, root: Path, config: Configure) -> None:
    with pytest.raises(HandoffError, match=words):
        course_of(config(**changes), root)


def test_an_artifact_elsewhere_is_refused(tmp_path: Path, root: Path, config: Configure) -> None:
    with pytest.raises(HandoffError, match="is outside the artifact root"):
        course_of(config(), tmp_path)
    with pytest.raises(HandoffError, match="name with --root the folder under which artifacts may lie"):
        course_of(config(), None)
    (tmp_path / "link").symlink_to(root / "run/artifact")
    with pytest.raises(HandoffError, match="is outside the artifact root"):
        course_of(config(start=str(tmp_path / "link")), tmp_path)


def test_a_damaged_artifact_is_refused(tmp_path: Path, root: Path, config: Configure) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root / "run/artifact", copy)
    with (copy / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(HandoffError, match=r"weights\.safetensors differs from its recorded SHA-256"):
        course_of(config(start=str(copy)), tmp_path)


def test_a_model_that_has_seen_the_test_window_is_refused(
    tmp_path: Path, root: Path, config: Configure
) -> None:
    """Begun again on the data of half a year before, the earlier model would know what comes."""
    with pytest.raises(HandoffError, match="choose a start that was trained on earlier data"):
        course_of(config(test_cutoff="2020-10-01"), root)


def test_a_model_that_learnt_in_the_validation_window_is_refused(root: Path, config: Configure) -> None:
    """A longer horizon puts the cut-off back into the days that the earlier model was fitted on."""
    fitted, chosen = (
        to_days(parse_time(read_json(root / "run/artifact/model.json")["windows"][name][1]))
        for name in ("train", "validation")
    )
    fits = Windows(fitted - 300, fitted, chosen, chosen - fitted)
    assert read_start(config(), fits, root).config.task == "churn"
    overlaps = Windows(fitted - 300, fitted - 1, chosen, chosen - fitted + 1)
    with pytest.raises(HandoffError, match="learnt from events up to .* and this run is validated on"):
        read_start(config(), overlaps, root)


@pytest.mark.parametrize(
    ("pretrain", "phases"),
    [
        ("auto", {"preparing", "training", "evaluating"}),
        ("always", {"preparing", "pretraining", "training", "evaluating"}),
    ],
)
def test_pretraining_is_done_again_only_where_asked(
    pretrain: str, phases: set[str], tmp_path: Path, root: Path, config: Configure
) -> None:
    config(pretrain=pretrain).write(tmp_path)
    assert train(tmp_path, root=root).status == "succeeded"
    assert {line.phase for line in ProgressReader(tmp_path).read()} == phases
    card = read_json(tmp_path / "artifact/model_card.json")
    assert card["start"] == read_json(tmp_path / "evaluation.json")["start"]
    assert card["start"]["agent"] == "churn"


@pytest.mark.parametrize("backbone", ["mf", "cnn", "rnn", "transformer"])
def test_frozen_layers_end_as_they_began(backbone: str, tmp_path: Path, configure: Configure) -> None:
    """Of two layers the lower one, and the embeddings; without a start, frozen after pretraining."""
    first = tmp_path / "first"
    configure(CHURN, backbone=backbone, layers=2).write(first)
    train(first)
    run = tmp_path / "run"
    frozen = {"freeze_layers": 1, "start": str(first / "artifact"), "learning_rate": 0.01}
    configure(CHURN, backbone=backbone, layers=2, **frozen).write(run)
    train(run, root=tmp_path)
    before, after = (load_file(folder / "artifact/weights.safetensors") for folder in (first, run))
    same = {name for name in before if torch.equal(before[name], after[name])}
    lower = {
        "mf": set(),
        "cnn": {f"norms.0.{end}" for end in ("weight", "bias")}
        | {f"convolutions.0.{end}" for end in ("weight", "bias")},
        "rnn": {f"gru.{name}_{end}_l0" for name in ("weight", "bias") for end in ("ih", "hh")},
        "transformer": {"place"}
        | {name[17:] for name in before if name.startswith("encoder.backbone.blocks.0")},
    }[backbone]
    embeddings = {
        name
        for name in before
        if name.split(".")[1] in ("products", "kind", "numbers", "words", "facts", "enter")
        and name.startswith("encoder.")
    }
    assert {f"encoder.backbone.{name}" for name in lower} | embeddings <= same
    rest = {name for name in before if name.startswith(("encoder.backbone", "encoder.leave", "head"))}
    assert not same & (rest - {f"encoder.backbone.{name}" for name in lower})


def test_a_killed_run_with_a_start_goes_on_to_bit_identical_weights(
    tmp_path: Path, root: Path, config: Configure
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        values = {"pretrain": "always", "freeze_layers": 1, "epochs": 2, "batch_size": 16, "dropout": 0.2}
        config(**values).write(folder)
    options = ["--root", str(root), "--checkpoint-seconds", "0"]
    command = [sys.executable, "-m", "neural", "train", str(killed), *options]
    for phase, steps in (("pretraining", 2), ("training", 1), ("training", 1001)):
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        wait_for_steps(killed, phase, steps, child)
        child.kill()
        child.wait()
    for folder in (whole, killed):
        assert train(folder, root=root).status == "succeeded"
    one, other = ((folder / "artifact/weights.safetensors").read_bytes() for folder in (whole, killed))
    assert one == other


def test_an_attribute_keeps_its_columns_by_name(tmp_path: Path, root: Path, config: Configure) -> None:
    """Of the two numbers now known of each customer, the earlier model knew `size`."""
    dataset = write_dataset(tmp_path / "data", shop_rows())
    table = pl.read_parquet(dataset.folder / "customers.parquet")
    attributes = [json.dumps({"age": 30 + place, "size": place % 3}) for place in range(len(table))]
    write_table(
        tmp_path / "data", "customers", table.with_columns(attributes=pl.Series(attributes)), CUSTOMERS
    )
    fresh, course = (
        course_of(config(dataset=str(dataset.folder), **start), root) for start in ({"start": ""}, {})
    )
    ours, unused = (each.pretrained.encoder.state_dict()["facts.weight"] for each in (course, fresh))
    assert torch.equal(ours[:, :2], unused[:, :2])  # age
    assert torch.equal(ours[:, 2:], old_weights(root)["encoder.facts.weight"])
