"""Products by their words: one that was never sold is placed by its name."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from handoff.config import TrainingConfig
from handoff.dataset import PRODUCTS, Dataset, write_manifest, write_table
from handoff.errors import HandoffError
from neural.artifacts import open_artifact
from neural.courses import EventCourse
from neural.data.world import training_world
from neural.encoder import Products, Shape
from neural.scoring import score
from neural.text import products as product_texts
from neural.training import train
from neural.windows import parse_time, to_days
from tests.neural.shop import NEXT_PRODUCT, SMALL, START, Row, event, shop_rows, write_dataset
from tests.neural.texts import SENTENCES, make_model

AS_OF = (START + timedelta(days=419)).isoformat()
TASTES = sorted(SENTENCES)
NEW = {"new0": f"{SENTENCES[TASTES[0]][0]} new", "new1": f"{SENTENCES[TASTES[1]][0]} new"}


def named(product: str) -> str:
    """Products of one taste are named alike: p17 -> the sentence of taste 1 and a number."""
    return f"{SENTENCES[TASTES[int(product[1])]][0]} {product[2]}"


def rows_of_tastes(customers: int = 90, days: int = 420) -> list[Row]:
    """Every two weeks each customer buys any two products of one taste."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(customers):
        for day in np.arange(rng.uniform(0, 14), days, 14):
            for product in rng.choice(10, 2, replace=False).tolist():
                rows.append(event(f"c{number:04d}", round(float(day), 3), f"p{number % 3}{product}"))
    return rows


def catalogue(dataset: Dataset, extra: dict[str, str]) -> Dataset:
    table = dataset.products().collect()
    sold = table.filter(pl.col("product").str.starts_with("p"))
    renamed = sold.with_columns(pl.Series("name", [named(name) for name in sold["product"]]), category=None)
    more = [(code, name, None, 10.0, True) for code, name in extra.items()]
    rows = pl.concat([renamed.cast(PRODUCTS), pl.DataFrame(more, schema=PRODUCTS, orient="row")])
    write_table(dataset.folder, "products", rows, PRODUCTS)
    write_manifest(dataset.folder, dataset.manifest)
    return Dataset.open(dataset.folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return catalogue(write_dataset(tmp_path_factory.mktemp("named"), rows_of_tastes()), NEW)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, model: Path) -> Path:
    folder = tmp_path_factory.mktemp("run")
    values = {**SMALL, **NEXT_PRODUCT, "epochs": 3, "top_k": 40, "learning_rate": 0.01}
    TrainingConfig.from_mapping({"dataset": str(dataset.folder), **values, "text_model": str(model)}).write(
        folder
    )
    assert train(folder).status == "succeeded"
    return folder


def shape(text: int) -> Shape:
    return Shape("cnn", 8, 1, 1, 0.0, 4, products=5, kinds=1, categories=2, facts=0, text=text)


def products(text: int) -> Products:
    torch.manual_seed(0)
    return Products(shape(text))


def test_without_a_text_model_nothing_changes() -> None:
    plain, worded = products(0), products(7)
    assert set(plain.state_dict()) == {"own.weight", "category.weight", "by_price.weight", "by_price.bias"}
    for name, value in plain.state_dict().items():
        assert torch.equal(worded.state_dict()[name], value)


def test_words_split_the_first_vectors_and_leave_their_sum() -> None:
    """Known products begin where they would without words; one never sold where its words predict."""
    layer, vectors = products(7), torch.randn(5, 8)
    zeros, price = torch.zeros(6, dtype=torch.int64), torch.zeros(6)
    text = torch.eye(7)[:6]
    text[5] = text[0]  # never sold, but of the same name as the first
    before = layer(torch.arange(1, 6), zeros[:5], price[:5], text[:5])
    assert torch.equal(
        layer(torch.arange(6), zeros, price, text), layer(torch.arange(6), zeros, price, 0 * text)
    )
    layer.begin_at(vectors, text[:5])
    after = layer(torch.tensor([1, 2, 3, 4, 5, 0]), zeros, price, text)
    shared = layer.category.weight[0] + layer.by_price.bias
    assert torch.allclose(after[:5], vectors + shared, atol=1e-5)
    assert not torch.equal(before, after[:5])
    placed = after[5] - shared - layer.own.weight[0]
    near = torch.nn.functional.cosine_similarity(placed[None], vectors)
    assert near.argmax() == 0


def test_without_words_the_first_vectors_are_taken_as_they_are() -> None:
    layer, vectors = products(0), torch.randn(5, 8)
    layer.begin_at(vectors, torch.zeros(5, 0))
    assert torch.equal(layer.own.weight[1:], vectors)


def test_a_world_without_a_text_model_holds_no_vectors(
    configure: Callable[..., TrainingConfig], shop: Dataset
) -> None:
    world = training_world(configure(NEXT_PRODUCT), shop, train_end=18600.0, cuts=(18600.0,))
    assert world.vocabulary.product_text.shape == (len(world.vocabulary.products), 0)


def test_a_product_never_sold_is_placed_by_its_words(run: Path, dataset: Dataset) -> None:
    """Both new products have the same price and no sales: their names alone tell them apart."""
    cut = to_days(parse_time(AS_OF))
    opened = open_artifact(run / "artifact", run, dataset, cuts=(cut,))
    names, layer = opened.task.world.vocabulary.products, opened.model.encoder.products
    assert layer.by_words is not None
    words = layer.by_words(opened.model.text).detach()
    like = [words[[name.startswith(f"p{taste}") for name in names]].mean(0) for taste in (0, 1)]
    for taste, name in enumerate(NEW):
        near = torch.nn.functional.cosine_similarity(words[names.index(name)][None], torch.stack(like))
        assert near.argmax() == taste
    row = opened.model.row[[names.index(name) for name in NEW]]
    assert row.tolist() == [0, 0]


def test_scoring_goes_through_the_commands(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    assert score(run / "artifact", dataset.folder, root=run, shard=0, as_of=AS_OF, out=out) > 0
    items = [json.loads(text)["items"] for text in pl.read_parquet(out)["payload"]]
    assert all({"new0", "new1"} <= {item["product"] for item in found} for found in items)


def test_known_names_are_not_read_again(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a model was looked for")

    monkeypatch.setattr(product_texts, "find_pretrained", refuse)
    monkeypatch.setattr(product_texts, "same_pretrained", refuse)
    rows = score(run / "artifact", dataset.folder, root=run, shard=0, as_of=AS_OF, out=tmp_path / "s.parquet")
    assert rows > 0


def test_a_name_that_came_later_is_read_by_the_same_model(
    run: Path, dataset: Dataset, model: Path, tmp_path: Path
) -> None:
    shutil.copytree(dataset.folder, tmp_path / "later")
    later = catalogue(Dataset.open(tmp_path / "later"), {**NEW, "new2": "a thing of its own"})
    cut = to_days(parse_time(AS_OF))
    opened = open_artifact(run / "artifact", run, later, cuts=(cut,))
    vocabulary = opened.task.world.vocabulary
    vector = vocabulary.product_text[vocabulary.products.index("new2")]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_another_text_model_is_refused(run: Path, dataset: Dataset, model: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset.folder, tmp_path / "later")
    later = catalogue(Dataset.open(tmp_path / "later"), {**NEW, "new2": "a thing of its own"})
    before = (model / "model.safetensors").read_bytes()
    make_model(model, seed=5)
    try:
        with pytest.raises(HandoffError, match="this version was trained with tiny of"):
            score(run / "artifact", later.folder, root=run, shard=0, as_of=AS_OF, out=tmp_path / "s.parquet")
    finally:
        (model / "model.safetensors").write_bytes(before)
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lora_rank": 2}, "text model that stays as it is: set it to 0"),
        ({"text_model": "./nowhere"}, "is not a folder"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    dataset: Dataset, model: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    base = {"dataset": str(dataset.folder), **SMALL, **NEXT_PRODUCT, "text_model": str(model)}
    TrainingConfig.from_mapping({**base, **values}).write(tmp_path)
    with pytest.raises(HandoffError, match=message):
        train(tmp_path)


def test_names_in_a_language_the_model_does_not_know_are_an_error(model: Path, tmp_path: Path) -> None:
    foreign = write_dataset(tmp_path / "data", shop_rows(30))
    table = foreign.products().collect().with_columns(name=pl.lit("白色挂饰"))
    write_table(foreign.folder, "products", table, PRODUCTS)
    write_manifest(foreign.folder, foreign.manifest)
    base = {"dataset": str(foreign.folder), **SMALL, **NEXT_PRODUCT, "text_model": str(model)}
    TrainingConfig.from_mapping(base).write(tmp_path / "run")
    with pytest.raises(HandoffError, match="does not know 100% of the words"):
        train(tmp_path / "run")


def test_a_start_without_words_keeps_its_products_where_they_were(
    tmp_path: Path, dataset: Dataset, model: Path
) -> None:
    """What words tell of a product must not be added to a vector that holds it already."""
    values = {"dataset": str(dataset.folder), **SMALL, **NEXT_PRODUCT}
    TrainingConfig.from_mapping(values).write(tmp_path / "plain")
    assert train(tmp_path / "plain").status == "succeeded"
    start = {"start": str(tmp_path / "plain" / "artifact"), "text_model": str(model)}
    course = EventCourse(TrainingConfig.from_mapping({**values, **start}), dataset, test=False, root=tmp_path)
    before = load_file(tmp_path / "plain" / "artifact" / "weights.safetensors")["encoder.products.own.weight"]
    products, text = course.pretrained.encoder.products, course.pretrained.text[: len(before) - 1]
    assert products.by_words is not None
    told = products.by_words(text)
    assert torch.allclose(products.own.weight[1:] + told, before[1:], atol=1e-5)
    assert told.abs().max() > 1e-3
