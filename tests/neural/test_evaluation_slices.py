"""Slices and intervals of a window's examples."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import read_json
from handoff.predictions import PREDICTIONS, read_predictions
from neural.evaluation.intervals import intervals
from neural.evaluation.slices import SMALLEST, weakest_first, with_slices
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, event, write_dataset

AT = datetime(2020, 6, 1, tzinfo=UTC)


def scored(countries: dict[str, tuple[int, float]], seed: int = 0) -> pl.DataFrame:
    """Customers of each country, whose scores tell so much (0: nothing, 1: all) of who leaves."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for country, (count, told) in countries.items():
        for _ in range(count):
            label = bool(rng.random() < 0.4)
            rows.append(
                {
                    "customer": f"c{len(rows):05d}",
                    "at": AT,
                    "label": label,
                    "probability": float(told * label + (1 - told) * rng.random()),
                    "base_rate.probability": 0.4,
                    "slice.country": country,
                    "slice.spend": float(len(rows)),
                }
            )
    return pl.DataFrame(rows)


def test_the_weakest_slice_comes_first_and_too_small_ones_last() -> None:
    found = weakest_first(
        scored({"good": (200, 0.9), "weak": (200, 0.0), "tiny": (SMALLEST - 1, 0.0)}), "roc_auc"
    )

    countries = [group for group in found["groups"] if group["by"] == "country"]
    assert [group["value"] for group in countries][1] == 1.0
    assert [(group.get("value"), group["count"]) for group in countries if not group["enough"]] == [
        (countries[2]["value"], SMALLEST - 1)
    ]
    assert [group["enough"] for group in found["groups"]][-1] is False
    assert countries[0]["below"]
    assert not countries[1]["below"]
    assert not countries[2]["below"]
    assert 0.4 < countries[0]["low"] < countries[0]["value"] < countries[0]["high"] < 0.65
    assert (found["metric"], found["smallest"]) == ("roc_auc", SMALLEST)


def test_slices_name_what_they_are_cut_by() -> None:
    groups = weakest_first(scored({"a": (100, 0.5), "b": (100, 0.5)}), "roc_auc")["groups"]

    assert {group["which"] for group in groups if group["by"] == "country"} == {"a", "b"}
    bands = sorted((g for g in groups if g["by"] == "spend"), key=lambda g: g["from"] or 0)
    assert [(band["from"], band["to"], band["count"]) for band in bands] == [
        (None, 50.0, 50),
        (50.0, 100.0, 50),
        (100.0, 150.0, 50),
        (150.0, None, 50),
    ]
    assert all(0.2 < band["observed"] < 0.6 for band in bands)


def test_one_outcome_alone_is_no_slice_to_judge_by() -> None:
    frame = scored({"a": (200, 0.5)}).with_columns(
        pl.when(pl.col("slice.spend") < 100)
        .then(pl.lit("none"))
        .otherwise(pl.lit("some"))
        .alias("slice.country")
    )
    frame = frame.with_columns(pl.col("label") & (pl.col("slice.country") == "some"))

    groups = weakest_first(frame, "roc_auc")["groups"]

    none = next(group for group in groups if group.get("which") == "none")
    assert (none["enough"], none["value"], none["observed"]) == (False, None, 0.0)


def test_a_mean_of_rows_counts_those_that_count() -> None:
    frame = pl.DataFrame(
        {
            "customer": [f"c{n}" for n in range(120)],
            "at": [AT] * 120,
            "ndcg@10": [None if n % 3 == 0 else n % 2 for n in range(120)],
            "slice.country": ["a"] * 60 + ["b"] * 60,
        }
    )
    groups = weakest_first(frame, "ndcg@10")["groups"]

    assert [(group["which"], group["count"], group["value"], group["enough"]) for group in groups] == [
        ("a", 40, 0.5, False),
        ("b", 40, 0.5, False),
    ]


def test_without_examples_there_are_neither_slices_nor_intervals() -> None:
    assert weakest_first(pl.DataFrame(), "roc_auc") == {}
    assert intervals(pl.DataFrame()) == {}


def test_intervals_hold_the_value_and_differences_are_paired() -> None:
    found = intervals(scored({"a": (300, 0.6)}), resamples=200)

    assert (found["level"], found["resamples"], found["customers"]) == (0.95, 200, 300)
    assert set(found["methods"]) == {"model", "base_rate"}
    low, high = found["methods"]["model"]["roc_auc"]
    ahead, least, most = found["differences"]["base_rate"]["roc_auc"]
    assert low <= ahead + 0.5 <= high
    assert (least, most) == pytest.approx((low - 0.5, high - 0.5), abs=1e-6)
    assert found["differences"]["base_rate"]["precision"] == [None, None, None]  # it warns of nobody


def test_the_columns_to_slice_by_are_what_was_known_at_the_moment(
    tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    at = START.replace(month=3)  # day 60
    rows = [
        event("c0001", 10, "p1", basket="x", amount=10.0),
        event("c0001", 10, "p2", basket="x", amount=5.0),
        event("c0001", 50, "p1", basket="y", amount=10.0),
        event("c0001", 61, "p1", basket="z", amount=999.0),
        event("c0002", 70, "p1"),
        event("c0002", 20, None, kind="complaint"),
    ]
    data = write_dataset(tmp_path, rows)
    examples = pl.DataFrame({"customer": ["c0001", "c0002"], "at": [at] * 2}).cast(
        {"at": pl.Datetime("us", "UTC")}
    )

    found = with_slices(examples, data, configure(CHURN, dataset=str(tmp_path)))

    assert found.drop("customer", "at").to_dicts() == [
        {
            "slice.tenure_days": 50.0,
            "slice.recency_days": 10.0,
            "slice.purchases": 2.0,
            "slice.spend": 25.0,
            "slice.area": "a1",
        },
        {
            "slice.tenure_days": None,
            "slice.recency_days": None,
            "slice.purchases": None,
            "slice.spend": None,
            "slice.area": "a0",
        },
    ]


def test_what_the_manager_took_out_is_not_sliced_by(
    tmp_path: Path, configure: Callable[..., TrainingConfig], shop: Dataset
) -> None:
    examples = pl.DataFrame({"customer": ["c0001", "c0002"], "at": [AT] * 2}).cast(
        {"at": pl.Datetime("us", "UTC")}
    )

    found = with_slices(examples, shop, configure(CHURN, excluded=["area", "amount"]))

    assert "slice.area" not in found.columns
    assert found["slice.spend"].to_list() == [None, None]


@pytest.mark.parametrize("base", [CHURN, NEXT_PRODUCT], ids=["churn", "next_product"])
def test_a_run_keeps_its_predictions_beside_the_artifact_and_not_in_it(
    base: dict[str, Any], tmp_path: Path, configure: Callable[..., TrainingConfig]
) -> None:
    configure(base, backbone="mf").write(tmp_path)
    train(tmp_path)

    record, frame = read_json(tmp_path / "evaluation.json"), read_predictions(tmp_path / PREDICTIONS)

    assert len(frame) == record["counts"]["test"]
    assert frame["at"].unique().to_list() == [datetime.fromisoformat(record["windows"]["test"][0])]
    assert set(record["intervals"]["methods"]) == {"model", *base["baselines"]}
    assert record["slices"]["all"] == pytest.approx(
        record["metrics"]["model"][record["slices"]["metric"]], abs=1e-5
    )
    assert not (tmp_path / "artifact" / PREDICTIONS).exists()
    for method, metrics in {"model": record["metrics"]["model"], **record["metrics"]["baselines"]}.items():
        for name, (low, high) in record["intervals"]["methods"][method].items():
            assert low is None or low - 1e-6 <= metrics[name] <= high + 1e-6 or name == "ece", (method, name)
