"""Opted-out and erased customers: left out of snapshots, taken out of old ones, kept from coming back."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from crm_data import labels
from crm_data.conf import root
from crm_data.importing.errors import ImportRefused
from crm_data.importing.running import import_transactions
from crm_data.models import Customer, Erasure, Interaction, OptOut, Snapshot
from crm_data.selectors import SnapshotRemoved, snapshot_folder
from crm_data.services.forgetting import clean_snapshot, remove_files, snapshots_to_clean
from crm_data.services.interactions import InteractionsRejected, record_interactions
from crm_data.services.snapshots import SnapshotError, build_snapshot
from crm_data.services.suppression import (
    delete_record,
    note_erasure,
    note_opt_out,
    take_back_opt_out,
)
from crm_data.suppression import ERASED, OPTED_OUT, Suppressed, standing
from handoff.dataset import Dataset
from handoff.files import read_json
from tests.crm_data.transactions import Sales
from tests.shop import LAST_DAY, open_shop

SAID = LAST_DAY + dt.timedelta(days=1)


@pytest.fixture
def shop(db: None) -> None:
    open_shop(customers=6, purchases=4)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What people said, for snapshots; nobody else's labels."""
    rows: list[dict[str, Any]] = []
    monkeypatch.setattr(labels, "_providers", [lambda *_: rows])
    return rows


def label(customer: str, key: str = "", at: dt.datetime = SAID) -> dict[str, Any]:
    return {
        "agent": "churn",
        "subject": "item" if key else "customer",
        "customer": customer,
        "key": key,
        "at": LAST_DAY,
        "said_at": at,
        "label": "left",
        "text": "",
    }


def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset.open(snapshot_folder(snapshot))


def customers_in(snapshot: Snapshot) -> tuple[set[str], set[str]]:
    data = dataset(snapshot)
    data.verify()
    return (
        set(data.customers().collect()["customer"]),
        set(data.events().collect()["customer"]),
    )


def test_labels_are_a_file_of_the_snapshot_only_where_there_are_any(
    shop: None, said: list[dict[str, Any]]
) -> None:
    bare = build_snapshot()
    assert not (snapshot_folder(bare) / "labels.parquet").exists()
    said += [label("C2"), label("C1", "P1"), label("C1", "P1"), label("GONE"), label("")]
    said.append(label("C3", at=dt.datetime(2100, 1, 1, tzinfo=dt.UTC)))
    one = build_snapshot()
    said.reverse()
    two = build_snapshot(full=True)
    assert (one.incremental, two.incremental) == (True, False)
    assert dataset(one).manifest.files == dataset(two).manifest.files
    assert "labels.parquet" in dataset(one).manifest.files
    rows = dataset(one).labels().collect()
    assert rows.select("customer", "key", "label").rows() == [
        ("", "", "left"),
        ("C2", "", "left"),
        ("C1", "P1", "left"),
    ]


def test_an_opted_out_customer_is_in_no_file_and_is_back_after_opting_in(
    shop: None, said: list[dict[str, Any]]
) -> None:
    before = build_snapshot()
    said += [label("C2"), label("C3")]
    assert note_opt_out("", "C2", reason="asked by letter")
    assert not note_opt_out("", "C2", reason="again")
    without = build_snapshot()
    kept = {"C1", "C3", "C4", "C5", "C6"}
    assert customers_in(without) == (kept, kept)
    assert (without.customers, without.events, without.incremental) == (5, 20, False)
    assert dataset(without).labels().collect()["customer"].to_list() == ["C3"]
    assert read_json(snapshot_folder(without) / "source.json")["dropped"] == {OPTED_OUT: 4}
    assert build_snapshot().incremental
    assert take_back_opt_out("", "C2")
    assert not take_back_opt_out("", "C2")
    said.clear()
    again = build_snapshot()
    assert (again.incremental, again.sha256) == (False, before.sha256)


def test_of_an_erased_customer_only_a_digest_is_kept(shop: None) -> None:
    note_opt_out("", "C2", reason="a letter of Customer 2")
    erasure = note_erasure("", "C2")
    assert note_erasure("", "C2").pk == erasure.pk
    assert OptOut.objects.count() == 0
    row = Erasure.objects.values().get()
    assert len(row["digest"]) == 64
    assert not any("C2" in str(value) for value in row.values())
    assert (standing("C2").erasure, standing("C1").left_out) == (erasure, False)
    assert standing("C2", "other tenant").left_out is False
    found = Suppressed()
    assert (found.why("C2"), found.why("C1"), found.among(["C1", "C2"])) == (ERASED, "", {"C2"})


def test_an_existing_snapshot_is_cleaned_as_if_the_customer_had_never_been_there(
    shop: None, said: list[dict[str, Any]], settings: Any
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SHARD_EVENTS": 8}
    said += [label("C2"), label("C3")]
    snapshot = build_snapshot()
    other = build_snapshot()
    folder = snapshot_folder(snapshot)
    assert snapshots_to_clean("") == []
    note_erasure("", "C2")
    assert snapshots_to_clean("") == [other, snapshot]
    assert clean_snapshot(snapshot, Suppressed()) == 1
    snapshot.refresh_from_db()
    kept = {"C1", "C3", "C4", "C5", "C6"}
    assert customers_in(snapshot) == (kept, kept)
    assert (snapshot.customers, snapshot.events, snapshot.erased, snapshot.erasures) == (5, 20, 1, 1)
    assert dataset(snapshot).labels().collect()["customer"].to_list() == ["C3"]
    assert snapshots_to_clean("") == [other]
    assert "C2" in customers_in(other)[0]
    assert clean_snapshot(snapshot, Suppressed()) == 0
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(
        [folder.name, snapshot_folder(other).name]
    )
    fresh = build_snapshot()
    assert not fresh.incremental
    assert fresh.sha256 == snapshot.sha256
    assert snapshots_to_clean("") == [other]


@pytest.mark.parametrize(
    "place", ["the new folder", "the first rename", "the second rename", "the old folder"]
)
def test_a_cleaning_that_is_killed_is_finished_by_the_next(
    shop: None, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    snapshot, whole = build_snapshot(), build_snapshot()
    note_erasure("", "C2")
    clean_snapshot(whole, Suppressed())
    steps = {"the first rename": 1, "the second rename": 2}
    renames = [steps.get(place, -1)]
    replace, rmtree = Path.replace, shutil.rmtree

    def renaming(path: Path, target: Any) -> Path:
        done = replace(path, target)
        if path.is_relative_to(folder.parent) or done == folder:
            renames[0] -= 1
            if renames[0] == 0:
                raise KeyboardInterrupt
        return done

    def removing(path: Path, **options: Any) -> None:
        if place == "the old folder" and path.name.endswith(".old") and path.exists():
            next(path.rglob("*.parquet")).unlink()
            raise KeyboardInterrupt
        rmtree(path, **options)

    folder = snapshot_folder(snapshot)
    with monkeypatch.context() as patch:
        patch.setattr("crm_data.services.building.shutil.rmtree", removing)
        if place == "the new folder":
            patch.setattr(
                "crm_data.services.forgetting.publish_folder",
                lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
            )
        elif place in steps:
            patch.setattr("handoff.files.sync_tree", lambda _folder: patch.setattr(Path, "replace", renaming))
        with pytest.raises(KeyboardInterrupt):
            clean_snapshot(snapshot, Suppressed())
    snapshot.refresh_from_db()
    assert snapshots_to_clean("") == [snapshot]

    assert clean_snapshot(snapshot, Suppressed()) == 1
    snapshot.refresh_from_db()
    whole.refresh_from_db()
    facts = ("sha256", "customers", "events", "erased", "erasures")
    assert [getattr(snapshot, name) for name in facts] == [getattr(whole, name) for name in facts]
    assert (snapshot.customers, snapshot.erased) == (5, 1)
    assert "C2" not in customers_in(snapshot)[0]
    dataset(snapshot).verify()
    assert sorted(folder.parent.iterdir()) == sorted([folder, snapshot_folder(whole)])


def test_a_removal_that_is_killed_is_done_again(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = build_snapshot()
    with monkeypatch.context() as patch:
        patch.setattr("crm_data.services.forgetting.shutil.rmtree", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            remove_files(snapshot)
    snapshot.refresh_from_db()
    assert snapshot.removed_at is None  # so that whoever clears up next comes to it again
    remove_files(snapshot)
    assert not list(root().glob("snapshots/*"))


def test_a_cleaned_label_file_that_is_empty_goes(shop: None, said: list[dict[str, Any]]) -> None:
    said.append(label("C2"))
    snapshot = build_snapshot()
    note_erasure("", "C2")
    clean_snapshot(snapshot, Suppressed())
    assert "labels.parquet" not in dataset(snapshot).manifest.files
    assert not (snapshot_folder(snapshot) / "labels.parquet").exists()


def test_without_the_key_nothing_is_built(shop: None, settings: Any, said: list[dict[str, Any]]) -> None:
    note_erasure("", "C2")
    secret = settings.SECRET_KEY
    settings.SECRET_KEY = "another one"
    with pytest.raises(SnapshotError) as refused:
        build_snapshot()
    assert str(refused.value) == (
        "1 erased customers are known by a key that is not in the settings any more, so they might come "
        'back. Put the earlier SECRET_KEY into SECRET_KEY_FALLBACKS, or into CRM_AGENTS["ERASURE_KEY"].'
    )
    assert Snapshot.objects.count() == 0
    settings.SECRET_KEY_FALLBACKS = [secret]
    assert build_snapshot().customers == 5
    settings.SECRET_KEY_FALLBACKS = []
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ERASURE_KEY": secret}
    assert Suppressed().is_erased("C2")


def test_the_missing_key_is_a_fault_of_the_settings(shop: None, settings: Any) -> None:
    note_erasure("", "C2")
    settings.SECRET_KEY = "another one"
    with pytest.raises(ImproperlyConfigured):
        Suppressed()


ROWS = [
    {"customer": customer, "invoice": f"{number}", "quantity": "2"}
    for number, customer in enumerate(["17850", "17850", "13047"])
]


def test_an_import_does_not_bring_an_erased_customer_back(db: None, sales: Sales) -> None:
    first = import_transactions(sales(*ROWS))
    assert (first.purchases, Customer.objects.count()) == (3, 2)
    note_erasure("", "17850")
    assert delete_record("17850") == {"interaction": 2, "customer": 1}
    report = import_transactions(sales(*ROWS, {**ROWS[2], "invoice": "9"}, name="next.csv"))
    assert report.rows_read == report.kept + sum(item.rows for item in report.dropped.values())
    assert (report.dropped["erased"].rows, report.purchases) == (2, 2)
    assert list(Customer.objects.values_list("code", flat=True)) == ["13047"]
    assert Interaction.objects.count() == 2
    with pytest.raises(ImportRefused, match="nothing but rows of customers who were erased"):
        import_transactions(sales(*ROWS[:2], name="only.csv"))


def test_an_import_that_an_erasure_overtakes_is_not_stored(
    db: None, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crm_data.importing import running

    sort = running._sort

    def erase_meanwhile(*args: Any, **kwargs: Any) -> Any:
        done = sort(*args, **kwargs)
        note_erasure("", "17850")
        return done

    monkeypatch.setattr(running, "_sort", erase_meanwhile)
    with pytest.raises(ImportRefused, match="erased while the file was read"):
        import_transactions(sales(*ROWS))
    assert (Customer.objects.count(), Interaction.objects.count()) == (0, 0)


def test_interactions_of_an_erased_customer_are_refused(shop: None, manager: User) -> None:
    note_erasure("", "C2")
    rows = [{"customer": code, "kind": "call", "at": "2026-03-01T10:00:00Z"} for code in ("C1", "C2")]
    with pytest.raises(InteractionsRejected) as refused:
        record_interactions(manager, rows)
    assert refused.value.errors == [
        {
            "index": 1,
            "field": "customer",
            "value": "C2",
            "message": "This customer was erased for good and may not be entered again.",
        }
    ]
    assert not Interaction.objects.filter(kind="call").exists()


def test_the_admin_adds_no_erased_customer(shop: None, admin_client: Client) -> None:
    note_erasure("", "C2")
    delete_record("C2")
    form = {"code": "C2", "name": "Back again", "attributes": "{}"}
    answer = admin_client.post("/admin/crm_data/customer/add/", form)
    assert answer.status_code == 200
    assert "was erased for good" in answer.content.decode()
    assert not Customer.objects.filter(code="C2").exists()
    assert admin_client.post("/admin/crm_data/customer/add/", {**form, "code": "C9"}).status_code == 302


def test_files_of_a_removed_snapshot_are_missed_kindly(shop: None) -> None:
    snapshot = build_snapshot()
    folder = snapshot_folder(snapshot)
    remove_files(snapshot)
    assert not folder.exists()
    snapshot.refresh_from_db()
    with pytest.raises(SnapshotRemoved, match="were deleted on .* Start a run, which takes a new snapshot"):
        snapshot_folder(snapshot)
    note_erasure("", "C2")
    assert snapshots_to_clean("") == []
    assert not build_snapshot().incremental


def test_a_host_that_still_has_an_erased_customer_brings_nobody_back(
    shop: None, said: list[dict[str, Any]]
) -> None:
    note_erasure("", "C2")
    assert Customer.objects.filter(code="C2").exists()
    kept = {"C1", "C3", "C4", "C5", "C6"}
    snapshot = build_snapshot()
    assert customers_in(snapshot) == (kept, kept)
    text = b"".join(path.read_bytes() for path in Path(snapshot_folder(snapshot)).rglob("*.json"))
    assert b"C2" not in text
    assert pl.read_parquet(snapshot_folder(snapshot) / "products.parquet").height == 1
