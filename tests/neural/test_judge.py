"""What became of old scores, counted by hand."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.outcomes import KEPT
from neural.judging import judge
from neural.scoring import score
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, SMALL, START, event, shop_rows, write_dataset

DAY = 340
AS_OF = (START + timedelta(days=DAY)).isoformat()


def trained(folder: Path, base: dict[str, Any]) -> Path:
    dataset = write_dataset(folder / "data", shop_rows())
    TrainingConfig.from_mapping({"dataset": str(dataset.folder), **SMALL, **base}).write(folder / "run")
    assert train(folder / "run").status == "succeeded"
    return folder / "run" / "artifact"


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("churn"), CHURN)


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("recommender"), NEXT_PRODUCT)


def kept(path: Path, rows: list[tuple[str, float | None, str, list[str] | None]]) -> Path:
    pl.DataFrame(rows, schema=KEPT, orient="row").write_parquet(path)
    return path


def told(artifact: Path, dataset: Dataset, scores: Path, out: Path) -> dict[str, Any]:
    judge(artifact, dataset.folder, root=artifact.parent, scores=scores, as_of=AS_OF, out=out)
    return read_json(out)


def test_warnings_are_held_against_purchases(churn: Path, tmp_path: Path) -> None:
    """c1 and c4 buy nothing in the 60 days, c2 does, c3 on the 61st; c5 was inactive, c6 unknown then."""
    rows = [event(f"c{n}", DAY - 20, "p00") for n in (1, 2, 3, 4)]
    rows += [event("c2", DAY + 59, "p00"), event("c3", DAY + 60.5, "p00"), event("c5", DAY + 5, "p00")]
    rows += [event("c6", DAY + 1, "p00"), event("c7", DAY + 80, "p00")]
    dataset = write_dataset(tmp_path / "data", rows)
    scores = kept(
        tmp_path / "scores.parquet",
        [
            ("c1", 0.9, "high", None),
            ("c2", 0.8, "high", None),
            ("c3", 0.3, "low", None),
            ("c4", 0.2, "low", None),
            ("c5", None, "unknown", None),
        ],
    )
    found = told(churn, dataset, scores, tmp_path / "realised.json")
    assert found["customers"] == 4
    assert found["until"] == (START + timedelta(days=DAY + 60)).isoformat()
    assert found["tiers"] == {"high": {"customers": 2, "happened": 1}, "low": {"customers": 2, "happened": 2}}
    assert found["metrics"]["precision"] == 0.5
    assert found["metrics"]["recall"] == pytest.approx(1 / 3)
    assert found["metrics"]["roc_auc"] == pytest.approx(1 / 3)
    assert [part["happened"] for part in found["tenths"]] == [1, 0, 1, 1]


def test_lists_are_held_against_baskets(recommender: Path, tmp_path: Path) -> None:
    """c1 gets one of two right at the second place, c2 none; c3 bought nothing and does not count."""
    rows = [event(f"c{n}", DAY - 10, f"p0{n}") for n in (1, 2, 3)]
    rows += [event("c1", DAY + 3, "p05"), event("c1", DAY + 3, "p06"), event("c2", DAY + 27, "p02")]
    rows += [event("c2", DAY + 29, "p07"), event("c3", DAY + 40, "p01")]
    dataset = write_dataset(tmp_path / "data", rows)
    scores = kept(
        tmp_path / "scores.parquet",
        [
            ("c1", 0.5, "", ["p01", "p05"]),
            ("c2", 0.4, "", ["p07", "never heard of"]),
            ("c3", 0.4, "", ["p01"]),
        ],
    )
    found = told(recommender, dataset, scores, tmp_path / "realised.json")
    assert found["customers"] == 2
    assert "tiers" not in found
    assert found["metrics"]["hit@10"] == 0.5
    assert found["metrics"]["recall@10"] == 0.25
    assert found["metrics"]["precision@10"] == pytest.approx(0.05)
    assert found["baselines"]["personal_top"]["hit@10"] == 0.5  # c2 bought p02 again
    assert sum(part["happened"] for part in found["tenths"]) == 1


def test_a_model_judged_on_its_test_window_gets_the_figures_of_its_test(
    churn: Path, recommender: Path, tmp_path: Path
) -> None:
    """But for what lies on the very millisecond of the cut-off and for scores of four digits."""
    for artifact, metric, tolerance in ((churn, "roc_auc", 0.01), (recommender, "recall@20", 0.02)):
        dataset = Dataset.open(artifact.parent.parent / "data")
        record = read_json(artifact.parent / "evaluation.json")
        as_of = record["windows"]["test"][0]
        parts = []
        for shard in range(SHARDS):
            file = tmp_path / f"{metric}-{shard}.parquet"
            score(artifact, dataset.folder, root=artifact.parent, shard=shard, as_of=as_of, out=file)
            parts.append(pl.read_parquet(file))
        frame = pl.concat(parts)
        lists = [
            [item["product"] for item in json.loads(text).get("items", [])] or None
            for text in frame["payload"]
        ]
        rows = [(c, s, "", names) for (c, s, _), names in zip(frame.iter_rows(), lists, strict=True)]
        scores = kept(tmp_path / f"{metric}.parquet", rows)
        out = tmp_path / f"{metric}.json"
        judge(artifact, dataset.folder, root=artifact.parent, scores=scores, as_of=as_of, out=out)
        found = read_json(out)
        assert found["customers"] == pytest.approx(record["counts"]["test"], abs=2)
        assert found["metrics"][metric] == pytest.approx(record["metrics"]["model"][metric], abs=tolerance)


def test_what_is_not_known_yet_is_not_judged(churn: Path, tmp_path: Path) -> None:
    rows = [event("c1", DAY - 20, "p00"), event("c1", DAY + 59, "p00")]
    dataset = write_dataset(tmp_path / "data", rows)
    scores = kept(tmp_path / "scores.parquet", [("c1", 0.9, "high", None)])
    with pytest.raises(HandoffError, match="Take a newer snapshot"):
        told(churn, dataset, scores, tmp_path / "realised.json")
    assert not (tmp_path / "realised.json").exists()


def test_the_command_refuses_what_is_no_score_file(churn: Path, tmp_path: Path) -> None:
    dataset = churn.parent.parent / "data"
    (tmp_path / "scores.parquet").write_text("nothing")
    command = [sys.executable, "-m", "neural", "judge", str(churn), str(dataset), "--root", str(churn.parent)]
    options = [
        "--scores",
        str(tmp_path / "scores.parquet"),
        "--as-of",
        AS_OF,
        "--out",
        str(tmp_path / "o.json"),
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 1
    assert "holds no kept scores" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o.json").exists()
