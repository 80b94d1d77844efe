from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from handoff.building import build_dataset
from handoff.dataset import EVENTS
from handoff.errors import HandoffError

AT = datetime(2026, 3, 1, tzinfo=UTC)


def events() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": ["B", "A"],
            "at": [AT, AT.replace(month=4)],
            "kind": ["purchase"] * 2,
            "product": ["x", None],
        }
    )


def test_tables_become_a_dataset(tmp_path: Path) -> None:
    products = pl.DataFrame({"product": ["y"], "available": [False]})
    dataset = build_dataset(tmp_path / "shop", events(), products=products, currency="EUR", shards=2)

    dataset.verify()
    assert (dataset.manifest.events, dataset.manifest.customers, dataset.manifest.products) == (2, 2, 2)
    assert dataset.manifest.kinds == {"purchase": 2}
    assert dataset.manifest.last_event == "2026-04-01T00:00:00+00:00"
    assert dataset.events().collect().schema == EVENTS
    assert dataset.customers().collect()["attributes"].to_list() == ["{}", "{}"]
    listed = dataset.products().collect()
    assert listed.select("product", "available").rows() == [("x", True), ("y", False)]
    assert sum(len(dataset.events(shard).collect()) for shard in range(2)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            pl.lit(None, pl.String).alias("customer"),
            "events needs a value in every row of its column 'cust",
        ),
        (pl.lit(1).alias("colour"), "events has no column 'colour'; it has customer, at, kind"),
        (pl.lit("soon").alias("at"), "events has a column of another type"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path: Path, change: pl.Expr, message: str) -> None:
    with pytest.raises(HandoffError, match=message):
        build_dataset(tmp_path / "shop", events().with_columns(change))
    assert not (tmp_path / "shop" / "manifest.json").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(HandoffError, match="is not empty; name a new folder"):
        build_dataset(tmp_path / "mine", events())
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
