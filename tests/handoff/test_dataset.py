"""A dataset is read as it was written, or not at all."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from handoff.dataset import (
    CUSTOMERS,
    EVENTS,
    MARKET,
    PRODUCTS,
    Dataset,
    Manifest,
    shard_name,
    shard_of,
    write_events,
    write_manifest,
    write_table,
)
from handoff.errors import HandoffError

AT = dt.datetime(2011, 9, 9, 12, tzinfo=dt.UTC)


def event(customer: str, hours: int = 0, **changes: Any) -> dict[str, Any]:
    blank = dict.fromkeys(EVENTS.names())
    return {
        **blank,
        "customer": customer,
        "at": AT + dt.timedelta(hours=hours),
        "kind": "purchase",
        **changes,
    }


def events(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=EVENTS)


def write_dataset(folder: Path, *, shards: int = 2) -> Manifest:
    people = ["17850", "13047", "12583", "安"]
    for shard in range(shards):
        mine = [
            event(person, hours) for person in people for hours in (1, 0) if shard_of(person, shards) == shard
        ]
        write_events(folder, shard, events(*mine))
    customers = pl.DataFrame({"customer": people, "since": None, "attributes": "{}"})
    write_table(folder, "customers", customers, CUSTOMERS)
    write_table(folder, "products", pl.DataFrame(schema=PRODUCTS), PRODUCTS)
    write_table(folder, "market", pl.DataFrame(schema=MARKET), MARKET)
    return write_manifest(
        folder,
        Manifest(
            shards=shards,
            currency="GBP",
            watermark=AT.isoformat(),
            first_event=AT.isoformat(),
            last_event=AT.isoformat(),
            events=8,
            customers=4,
            products=0,
            kinds={"purchase": 8},
            code_version="1",
        ),
    )


def test_a_dataset_comes_back(tmp_path: Path) -> None:
    written = write_dataset(tmp_path)

    dataset = Dataset.open(tmp_path)

    dataset.verify()
    assert dataset.manifest == written
    assert sorted(written.files) == [
        "customers.parquet",
        "events/shard-0000.parquet",
        "events/shard-0001.parquet",
        "market.parquet",
        "products.parquet",
    ]
    assert dataset.events().collect().schema == EVENTS
    assert dataset.events().collect().height == 8
    assert dataset.products().collect().schema == PRODUCTS
    assert dataset.market().collect().schema == MARKET


def test_a_shard_holds_its_customers_and_their_events_in_order(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    dataset = Dataset.open(tmp_path)

    for shard in range(2):
        people = dataset.customers(shard).collect().get_column("customer").to_list()
        rows = dataset.events(shard).collect()
        assert people == sorted(people)
        assert [shard_of(person, 2) for person in people] == [shard] * len(people)
        assert rows.get_column("customer").to_list() == [person for person in people for _ in range(2)]
        assert rows.get_column("at").to_list() == [AT, AT + dt.timedelta(hours=1)] * len(people)


def test_a_shard_is_stable() -> None:
    assert [shard_of(customer, 16) for customer in ("17850", "13047", "安")] == [1, 12, 10]
    assert shard_name(3) == "events/shard-0003.parquet"


def test_a_shard_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with pytest.raises(HandoffError) as refused:
        Dataset.open(tmp_path).events(2)
    assert str(refused.value) == f"{tmp_path} has 2 shards, none numbered 2."


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [
        event("a", 1, product="P"),
        event("a", 1, product=None),
        event("b"),
        event("a", 1, product="P", quantity=2.0),
    ]

    write_events(tmp_path / "one", 0, events(*rows))
    write_events(tmp_path / "two", 0, events(*reversed(rows)))

    assert (tmp_path / "one" / shard_name(0)).read_bytes() == (tmp_path / "two" / shard_name(0)).read_bytes()


def test_the_name_of_the_data_does_not_depend_on_when_it_was_built(tmp_path: Path) -> None:
    one = write_dataset(tmp_path / "one")
    two = write_dataset(tmp_path / "two")
    later = Manifest(**{**json.loads((tmp_path / "two" / "manifest.json").read_text()), "watermark": "later"})

    assert one.sha256 == two.sha256 == later.sha256
    assert len(one.sha256) == 64


@pytest.mark.parametrize("name", ["customers.parquet", "events/shard-0001.parquet"])
def test_an_edited_file_is_refused(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)

    with pytest.raises(HandoffError) as refused:
        Dataset.open(tmp_path).verify()
    assert str(refused.value) == (
        f"{tmp_path / name} differs from its recorded SHA-256: it is damaged or was edited."
    )


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    (tmp_path / "market.parquet").unlink()
    with pytest.raises(HandoffError) as refused:
        Dataset.open(tmp_path).verify()
    assert str(refused.value) == f"{tmp_path / 'market.parquet'} is missing."


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(HandoffError) as refused:
        Dataset.open(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} has schema version 2, this code reads 1: build the snapshot again."
    )


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(HandoffError, match=r"manifest\.json does not exist\.$"):
        Dataset.open(tmp_path)


def test_a_manifest_with_foreign_entries_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": 1, "cows": 2}')
    with pytest.raises(HandoffError, match="is not a manifest"):
        Dataset.open(tmp_path)
