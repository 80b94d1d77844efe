"""What an inspection finds in data that were spoilt on purpose, and leaves alone in data that were not."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import CUSTOMERS, Dataset, write_manifest, write_table
from handoff.inspection import REMEDIES, Finding, Inspection
from handoff.progress import ProgressReader, ProgressWriter
from neural.data.world import training_world
from neural.inspection import inspect
from neural.tasks.churn import Churn
from neural.windows import Windows, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, START, Row, event, shop_rows, write_dataset
from tests.neural.texts import labelled, text_config, write_labels

Configure = Callable[..., TrainingConfig]


def report(folder: Path, config: TrainingConfig) -> Inspection:
    config.write(folder)
    inspect(folder, ProgressWriter(folder))
    return Inspection.read(folder)


def of(found: Inspection, code: str) -> dict[str, Finding]:
    return {finding.field: finding for finding in found.findings if finding.code == code}


def with_attributes(dataset: Dataset, attributes: Callable[[str], dict[str, Any]]) -> Dataset:
    """The same events with other attributes."""
    names = dataset.customers().collect()["customer"].to_list()
    rows = [(name, None, json.dumps(attributes(name))) for name in names]
    write_table(dataset.folder, "customers", pl.DataFrame(rows, schema=CUSTOMERS, orient="row"), CUSTOMERS)
    write_manifest(dataset.folder, dataset.manifest)
    return Dataset.open(dataset.folder)


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, bool]]:
    """A shop whose attributes know who will have left in the validation window, and some that do not."""
    dataset = write_dataset(tmp_path_factory.mktemp("leaky"), shop_rows(300))
    config = TrainingConfig.from_mapping({"dataset": str(dataset.folder), **CHURN})
    windows = Windows.choose(config, dataset.manifest)
    cuts = (windows.validation, windows.test)
    task = Churn(training_world(config, dataset, train_end=windows.validation, cuts=cuts))
    queries, label = task.window(windows.validation)
    names = [task.world.history.customers[number] for number in queries.customer]
    left = dict(zip(names, label.tolist(), strict=True))
    rng = np.random.default_rng(1)

    def attributes(name: str) -> dict[str, Any]:
        gone = left.get(name, bool(rng.random() < 0.3))
        return {
            "status": "closed" if gone else "open",
            "score": 10.0 * gone + rng.random(),
            "last_seen": (START + timedelta(days=10 if gone else 400, hours=rng.random())).isoformat(),
            "tags": ["blue", "lost" if gone else "kept"],
            "reason_for_leaving": str(rng.choice(["price", "moved"]))
            if gone and rng.random() < 0.4
            else None,
            "country": str(rng.choice(["DE", "FR", "AT"])),
            "employees": int(rng.integers(1, 500)),
            "newsletter": bool(rng.random() < 0.5),
            "phone": f"+49 {rng.integers(10**9)}",
            "fax": "yes" if rng.random() < 0.3 else None,
            "currency": "EUR",
            "number": int(name[1:]),
        }

    return with_attributes(dataset, attributes), left


def test_planted_leaks_are_found_and_innocent_attributes_are_not(
    leaky: tuple[Dataset, dict[str, bool]], tmp_path: Path, configure: Configure
) -> None:
    dataset, left = leaky
    found = report(tmp_path, configure(CHURN, dataset=str(dataset.folder)))
    leaks = of(found, "leak")
    planted = {f"attributes.{name}" for name in ("status", "score", "last_seen", "tags")}
    assert set(leaks) == planted
    assert all(leaks[name].severity == "stop" and leaks[name].facts["auc"] > 0.99 for name in planted)
    after = of(found, "filled_after")
    assert set(after) == {"attributes.reason_for_leaving"}
    facts = after["attributes.reason_for_leaving"].facts
    assert facts["filled_negatives"] == 0
    assert 0.25 < facts["filled_positives"] < 0.55
    assert facts["auc"] == pytest.approx(0.5 + facts["filled_positives"] / 2)
    assert facts["positives"] == sum(left.values())
    assert facts["negatives"] == len(left) - sum(left.values())
    tested = {one.field: one for one in found.leakage}
    for name in ("country", "employees", "newsletter", "phone", "fax", "number"):
        one = tested[f"attributes.{name}"]
        assert not one.flagged
        assert one.auc is None or one.auc < 0.75
    assert set(of(found, "constant")) == {"attributes.currency"}
    assert set(of(found, "near_unique")) == {"attributes.phone", "attributes.number"}


def test_an_attribute_that_is_left_out_is_shown_and_not_complained_of(
    leaky: tuple[Dataset, dict[str, bool]], tmp_path: Path, configure: Configure
) -> None:
    names = ("status", "score", "last_seen", "tags", "reason_for_leaving")
    found = report(tmp_path, configure(CHURN, dataset=str(leaky[0].folder), excluded=list(names)))
    assert not of(found, "leak")
    assert not of(found, "filled_after")
    shown = {one.field: one for one in found.leakage}
    assert all(shown[f"attributes.{name}"].excluded for name in names)
    assert shown["attributes.status"].flagged
    assert not any(finding.severity == "stop" for finding in found.findings)


def test_the_test_window_does_not_change_what_leaks(
    leaky: tuple[Dataset, dict[str, bool]], tmp_path: Path, configure: Configure
) -> None:
    """The same shop without an event of the test window, but for the last one that dates it."""
    config = configure(CHURN)
    whole = write_dataset(tmp_path / "whole", shop_rows())
    windows = Windows.choose(config, whole.manifest)
    rows = shop_rows()
    last = max(rows, key=lambda row: row["at"])
    early = [row for row in rows if to_days(row["at"]) < windows.test]
    short = write_dataset(tmp_path / "short", [*early, last])
    assert len(early) < len(rows) - 100
    one, two = (
        report(tmp_path / name, configure(CHURN, dataset=str(dataset.folder)))
        for name, dataset in (("a", whole), ("b", short))
    )
    assert one.windows == two.windows
    assert one.leakage == two.leakage
    assert one.balance == two.balance


def spoilt() -> list[Row]:
    rows = shop_rows()
    week = [row for row in rows if START + timedelta(days=201) <= row["at"] < START + timedelta(days=208)]
    gap = (START + timedelta(days=229), START + timedelta(days=257))
    kept = [row for row in rows if not gap[0] <= row["at"] < gap[1]]
    return [
        *kept,
        *week,  # loaded twice
        event("c0001", 100, "p01", amount=5e6, quantity=1.0),
        event("c0001", 101, "p01", amount=float("nan")),
        event("c0001", 102, "p01", quantity=-3.0),
        event("c0001", 418, None, kind="survey", amount=None),
    ]


def test_duplicates_outliers_gaps_and_new_kinds_are_counted(tmp_path: Path, configure: Configure) -> None:
    dataset = write_dataset(tmp_path / "data", spoilt())
    found = report(tmp_path / "run", configure(CHURN, dataset=str(dataset.folder)))
    week = [
        row for row in shop_rows() if START + timedelta(days=201) <= row["at"] < START + timedelta(days=208)
    ]
    assert found.rows == dataset.manifest.events
    assert found.duplicates == len(week)
    doubled = of(found, "doubled_week")["events.at"].facts
    assert doubled["week"] == "2020-07-20"
    assert doubled["duplicates"] == len(week) - sum(row["kind"] != "purchase" for row in week)
    assert of(found, "outliers")["events.amount"].facts["worst"][0] == 5e6
    assert of(found, "outliers")["events.amount"].facts["count"] == 1
    assert of(found, "outliers")["events.amount"].severity == "warn"
    assert of(found, "not_finite")["events.amount"].facts["count"] == 1
    assert of(found, "negative_outcome")["events.quantity"].facts["count"] == 1
    empty = of(found, "empty_weeks")["events.at"]
    assert empty.severity == "warn"
    assert empty.facts == {"weeks": 4, "first": "2020-08-17", "longest": 4}
    assert set(of(found, "unseen_kind")) == {"kinds.survey"}
    assert [one.kind for one in found.kinds] == ["purchase", "complaint", "survey"]
    assert [one.seen for one in found.kinds] == [True, True, False]
    nulls = {one.field: one for one in found.nulls}
    assert nulls["events.text"].share == 1
    assert nulls["events.amount"].nulls == 0
    assert {finding.code for finding in found.findings} <= set(REMEDIES)


def test_a_clean_shop_has_nothing_to_complain_of(shop: Dataset, tmp_path: Path, configure: Configure) -> None:
    for base in (CHURN, NEXT_PRODUCT):
        found = report(tmp_path / str(base["task"]), configure(base))
        assert [finding for finding in found.findings if finding.severity != "info"] == []
        assert [one.window for one in found.balance] == ["train", "validation"]
        assert all(need.met for need in found.minimum)
        assert all(0 < one.positives <= one.count for one in found.balance)
    assert set(found.balance[0].facts) == {"new_share", "coverage"}
    steps = [line.step for line in ProgressReader(tmp_path / "churn").read()]
    assert steps[-1] == 4


def test_too_little_data_is_a_finding(tmp_path: Path, configure: Configure) -> None:
    dataset = write_dataset(tmp_path / "data", [event("c1", 0, "a"), event("c1", 10, "a")])
    config = configure(CHURN, dataset=str(dataset.folder))
    found = report(tmp_path / "run", config)
    stops = {finding.code: finding.facts for finding in found.findings if finding.severity == "stop"}
    assert stops["customers"] == {"have": 1, "need": 5}
    assert stops["days"]["have"] == 10
    assert found.balance == ()


def test_no_event_at_all_is_a_finding(tmp_path: Path, configure: Configure) -> None:
    dataset = write_dataset(tmp_path / "data", [])
    found = report(tmp_path / "run", configure(CHURN, dataset=str(dataset.folder)))
    assert [finding.code for finding in found.findings if finding.severity == "stop"] == ["no_events"]
    assert (found.rows, found.customers, found.products) == (0, 0, 0)
    assert found.windows == {}


def test_labelled_texts_are_asked_for_labels_and_not_for_purchases(tmp_path: Path) -> None:
    rows = labelled(120)
    twice = {**rows[0], "key": "again", "label": "invoice"}
    rare = {**rows[3], "key": "rare", "label": "praise", "text": "so kind"}
    dataset = write_labels(tmp_path / "data", [*rows, twice, rare])
    found = report(tmp_path / "run", text_config(dataset))
    assert {finding.code for finding in found.findings} == {"conflicting_labels", "rare_label"}
    assert of(found, "conflicting_labels")[""].facts["count"] == 2
    assert of(found, "rare_label")[""].facts["label"] == "praise"
    assert [one.window for one in found.balance] == ["train", "validation"]
    assert found.balance[0].facts == {"labels": 3}
    assert found.minimum[0].have == 122

    none = write_labels(tmp_path / "none", [])
    [stop] = report(tmp_path / "second", text_config(none)).findings
    assert (stop.code, stop.severity, stop.facts["have"]) == ("labels", "stop", 0)
