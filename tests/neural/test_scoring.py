"""Score files: complete, within their bounds, and never from a damaged model."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import PRODUCTS, Dataset, shard_of
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.predictions import read_predictions
from handoff.scores import SCORES
from neural.artifacts import open_artifact
from neural.calibration import TRUST
from neural.scoring import evaluate, score
from neural.training import train
from neural.windows import parse_time, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, SMALL, START, Row, event, shop_rows, write_dataset

DAY = 419.0
AS_OF = (START + timedelta(days=DAY)).isoformat()
GONE = "p00"  # no longer on sale


def all_rows() -> list[Row]:
    rows = shop_rows(120)
    rows.append(event("c7777", 10, None, kind="email"))  # never bought anything
    rows += [event("c8888", 5, "p01"), event("c8888", 20, "p01")]  # silent for more than a year
    return rows


def shop_of(folder: Path, rows: list[Row]) -> Dataset:
    names = sorted({row["product"] for row in rows if row["product"]})
    on_sale = pl.Series("available", [name != GONE for name in names], pl.Boolean)
    return write_dataset(folder, rows, available=on_sale)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return shop_of(tmp_path_factory.mktemp("scored"), all_rows())


def trained(folder: Path, dataset: Dataset, base: dict[str, Any]) -> Path:
    TrainingConfig.from_mapping(
        {"dataset": str(dataset.folder), **SMALL, **base, "epochs": 2, "top_k": 40}
    ).write(folder)
    assert train(folder).status == "succeeded"
    return folder / "artifact"


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    return trained(tmp_path_factory.mktemp("recommender"), dataset, NEXT_PRODUCT)


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    return trained(tmp_path_factory.mktemp("churn"), dataset, CHURN)


def scores(artifact: Path, dataset: Dataset, out: Path, as_of: str = AS_OF) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for shard in range(SHARDS):
        file = out / f"{shard}.parquet"
        score(artifact, dataset.folder, root=artifact.parent, shard=shard, as_of=as_of, out=file)
        frame = pl.read_parquet(file)
        assert frame.schema == SCORES
        assert frame["customer"].is_sorted()
        assert all(shard_of(name, SHARDS) == shard for name in frame["customer"])
        found.update({row[0]: (row[1], json.loads(row[2])) for row in frame.iter_rows()})
    return found


def test_every_customer_gets_an_answer(recommender: Path, dataset: Dataset, tmp_path: Path) -> None:
    found = scores(recommender, dataset, tmp_path)
    assert set(found) == set(dataset.customers().collect()["customer"])
    assert found["c7777"][1]["source"] == "popularity"
    assert found["c8888"][1]["source"] == "model"
    for value, payload in found.values():
        items = payload["items"]
        assert items
        assert value == items[0]["score"]
        assert len({item["product"] for item in items}) == len(items) <= 40
        assert all(0 <= item["score"] <= 1 for item in items)
        assert [item["score"] for item in items] == sorted((i["score"] for i in items), reverse=True)
        assert all(len(item["reasons"]) <= 4 for item in items)


def test_what_is_not_on_sale_is_never_recommended(
    recommender: Path, dataset: Dataset, tmp_path: Path
) -> None:
    listed = {
        item["product"]
        for _, payload in scores(recommender, dataset, tmp_path).values()
        for item in payload["items"]
    }
    assert GONE not in listed
    assert len(listed) > 5


def test_churn_has_a_probability_or_says_what_is_missing(
    churn: Path, dataset: Dataset, tmp_path: Path
) -> None:
    found = scores(churn, dataset, tmp_path)
    assert found["c8888"] == (None, {"missing": [{"code": "inactive", "days": 365}]})
    assert found["c7777"] == (None, {"missing": [{"code": "inactive", "days": 365}]})
    answered = {name: row for name, row in found.items() if row[0] is not None}
    assert len(answered) > 100
    assert all(0 <= value <= 1 for value, _ in answered.values())
    assert all(len(payload["reasons"]) <= 4 for _, payload in answered.values())
    assert all(payload["before"] is None or 0 <= payload["before"] <= 1 for _, payload in answered.values())


def test_before_is_the_same_models_answer_a_month_earlier(
    churn: Path, dataset: Dataset, tmp_path: Path
) -> None:
    now = scores(churn, dataset, tmp_path)
    earlier = scores(churn, dataset, tmp_path, (START + timedelta(days=DAY - 30)).isoformat())
    both = [name for name in now if now[name][0] is not None and earlier[name][0] is not None]
    assert len(both) > 90
    for name in both:
        assert now[name][1]["before"] == pytest.approx(earlier[name][0], abs=2e-3)


def test_a_change_of_season_is_no_trend(churn: Path, dataset: Dataset, tmp_path: Path) -> None:
    """The season of the answer holds for both moments, so only the customer's own change is left."""
    moment = to_days(parse_time(AS_OF))
    opened = open_artifact(churn, churn.parent, dataset, cuts=(moment - 30, moment))
    year = [[moment - 365, 2.0], [moment - 395, -2.0], [moment - 500, 0.0]]
    plain = {"slope": 1.0, "offset": 0.0}
    seasonal = {**plain, "validation": moment - 500 + 365, "season": year}
    names = sorted(dataset.customers().collect()["customer"])
    found = [opened.task.score(opened.model, c, moment, names) for c in (plain, seasonal)]
    told = [[json.loads(payload) for payload in frame["payload"]] for frame in found]
    both = [(one["before"], two["before"]) for one, two in zip(*told, strict=True) if one.get("before")]
    assert len(both) > 90
    for before, shifted in both:
        odds = np.array([before, shifted]) / (1 - np.array([before, shifted]))
        if 0.01 < before < 0.99:
            assert np.log(odds[1] / odds[0]) == pytest.approx(TRUST * 2.0, abs=0.02)


def test_scores_do_not_depend_on_later_events(recommender: Path, tmp_path: Path, dataset: Dataset) -> None:
    middle = (START + timedelta(days=350)).isoformat()
    bought = [row for row in all_rows() if row["at"] <= START + timedelta(days=350)]
    short = shop_of(tmp_path / "short", bought)
    names = sorted(set(short.customers().collect()["customer"]))
    whole = scores(recommender, dataset, tmp_path / "a", middle)
    cut = scores(recommender, short, tmp_path / "b", middle)
    for name in names:
        assert [i["product"] for i in whole[name][1]["items"]] == [
            i["product"] for i in cut[name][1]["items"]
        ]


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "calibration.json"])
def test_a_corrupt_artifact_is_refused(name: str, churn: Path, dataset: Dataset, tmp_path: Path) -> None:
    broken = tmp_path / "root" / "artifact"
    shutil.copytree(churn, broken)
    content = bytearray((broken / name).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / name).write_bytes(content)
    out = tmp_path / "out.parquet"
    with pytest.raises(HandoffError, match=f"{name} differs from its recorded SHA-256"):
        score(broken, dataset.folder, root=broken.parent, shard=0, as_of=AS_OF, out=out)
    assert not out.exists()


def test_the_command_refuses_with_exit_code_1_and_a_sentence(
    churn: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    command = [sys.executable, "-m", "neural", "score", str(churn), str(dataset.folder)]
    options = ["--root", str(tmp_path), "--shard", "0", "--as-of", AS_OF, "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is outside the artifact root" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_an_artifact_outside_the_root_is_refused(churn: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(HandoffError, match="is outside the artifact root"):
        score(churn, dataset.folder, root=tmp_path, shard=0, as_of=AS_OF, out=tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_an_artifact_with_a_strange_file_is_refused(churn: Path, dataset: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "artifact"
    shutil.copytree(churn, copy)
    (copy / "more.pkl").write_bytes(b"")
    with pytest.raises(HandoffError, match=r"holds files its manifest does not list: more\.pkl"):
        score(copy, dataset.folder, root=tmp_path, shard=0, as_of=AS_OF, out=tmp_path / "out.parquet")


def test_evaluate_repeats_the_training_runs_figures(churn: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "evaluation.json"
    evaluate(churn, dataset.folder, root=churn.parent, test_cutoff=None, out=out)
    assert read_json(out)["metrics"] == read_json(churn.parent / "evaluation.json")["metrics"]


def test_evaluate_repeats_what_was_said_of_each_example(
    churn: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "evaluation.json"
    evaluate(churn, dataset.folder, root=churn.parent, test_cutoff=None, out=out, examples=tmp_path)

    said = read_predictions(tmp_path / "predictions.parquet")
    trained = read_predictions(churn.parent / "predictions.parquet")
    shared = ["customer", "at", "label", "recency_rule.warned"]
    assert said.select(shared).equals(trained.select(shared))
    assert np.abs(said["probability"].to_numpy() - trained["probability"].to_numpy()).max() < 1e-6
    assert read_json(out)["intervals"]["customers"] == len(said)


def test_evaluate_refuses_a_window_the_model_learnt_from(
    churn: Path, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(HandoffError, match="test_cutoff lies too early"):
        evaluate(churn, dataset.folder, root=churn.parent, test_cutoff="2020-10-01", out=tmp_path / "e.json")


def test_a_dataset_without_products_table_offers_what_was_sold(
    recommender: Path, dataset: Dataset, tmp_path: Path
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(dataset.folder, copy)
    pl.DataFrame(schema=PRODUCTS).write_parquet(copy / "products.parquet")
    found = scores(recommender, Dataset.open(copy), tmp_path)
    assert any(item["product"] == GONE for _, payload in found.values() for item in payload["items"])
