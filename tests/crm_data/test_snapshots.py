"""Snapshots: what is in them, what is left out, and that two ways of building give the same bytes."""

import datetime as dt
import errno
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_agents.models import Agent, TrainingRun
from crm_data import extraction, selectors
from crm_data.models import Customer, Interaction, MarketIndicator, Product, Snapshot
from crm_data.selectors import snapshot_folder
from crm_data.services import shards
from crm_data.services.changes import rows_to_read
from crm_data.services.snapshots import SnapshotError, build_snapshot, prune_snapshots
from handoff.dataset import Dataset, shard_of
from handoff.files import read_json

NOON = dt.datetime(2024, 3, 5, 12, tzinfo=dt.UTC)
NINTH_NOON = dt.datetime(2024, 1, 9, 12, tzinfo=dt.UTC)
NINTH_ELEVEN = NINTH_NOON - dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@pytest.fixture
def shop(db: None) -> list[Customer]:
    """Six customers, two products and twelve purchases."""
    tea = Product.objects.create(code="TEA", name="Tea", category="Drinks", price="2.50")
    Product.objects.create(code="OLD", name="Gone", available=False)
    customers = [
        Customer.objects.create(code=f"c{number}", name=f"Customer {number}", country="France")
        for number in range(6)
    ]
    for number, customer in enumerate(customers):
        for day in (0, 30):
            Interaction.objects.create(
                customer=customer,
                product=tea,
                kind="purchase",
                at=NOON + (number + day) * DAY,
                quantity=2,
                amount="5.00",
                currency="GBP",
                basket=f"{number}-{day}",
            )
    return customers


@pytest.fixture
def four_shards(settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SHARD_EVENTS": 4}


def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset.open(snapshot_folder(snapshot))


def same_files(one: Snapshot, two: Snapshot) -> None:
    assert dataset(one).manifest.files == dataset(two).manifest.files
    assert one.sha256 == two.sha256


def test_a_snapshot_holds_the_rows_in_the_contracts_form(shop: list[Customer]) -> None:
    MarketIndicator.objects.create(series="holiday", date=dt.date(2024, 5, 1), value=1, known_ahead=True)
    snapshot = build_snapshot()
    data = dataset(snapshot)
    data.verify()
    assert data.events().collect().row(0, named=True) == {
        "customer": "c0",
        "at": NOON,
        "kind": "purchase",
        "basket": "0-0",
        "product": "TEA",
        "quantity": 2.0,
        "amount": 5.0,
        "channel": None,
        "text": None,
    }
    assert data.customers().collect().row(0) == ("c0", None, '{"country": "France"}')
    assert data.products().collect().rows() == [
        ("OLD", "Gone", None, None, False),
        ("TEA", "Tea", "Drinks", 2.5, True),
    ]
    assert data.market().collect().rows() == [("holiday", "", dt.date(2024, 5, 1), 1.0, True)]
    manifest = data.manifest
    assert (manifest.events, manifest.customers, manifest.products, manifest.shards) == (12, 6, 2, 1)
    assert (manifest.kinds, manifest.currency) == ({"purchase": 12}, "GBP")
    assert manifest.first_event == "2024-03-05T12:00:00+00:00"
    assert manifest.last_event == "2024-04-09T12:00:00+00:00"
    assert (snapshot.events, snapshot.sha256, snapshot.incremental) == (12, manifest.sha256, False)
    assert sorted(path.name for path in snapshot_folder(snapshot).iterdir()) == [
        "customers.parquet",
        "events",
        "manifest.json",
        "market.parquet",
        "products.parquet",
        "source.json",
    ]


def test_the_same_rows_give_the_same_hash(shop: list[Customer]) -> None:
    same_files(build_snapshot(full=True), build_snapshot(full=True))


def test_every_customer_lies_in_its_own_shard(shop: list[Customer], four_shards: None) -> None:
    data = dataset(build_snapshot())
    assert data.manifest.shards == 4
    for shard in range(4):
        events = data.events(shard).collect()
        assert {shard_of(customer, 4) for customer in events["customer"]} <= {shard}
    assert len(data.events().collect()) == 12


def test_an_incremental_build_gives_the_files_of_a_full_one(shop: list[Customer], four_shards: None) -> None:
    first = build_snapshot()
    Interaction.objects.create(customer=shop[2], kind="email", at=NOON, text='Hello,\n"you"')
    second = build_snapshot()
    assert (second.incremental, second.events) == (True, 13)
    same_files(second, build_snapshot(full=True))
    old, new = (snapshot_folder(each) / "events" for each in (first, second))
    shared = [name for name in os.listdir(new) if (old / name).stat().st_ino == (new / name).stat().st_ino]
    changed = f"shard-{shard_of('c2', 4):04d}.parquet"
    assert sorted(shared) == sorted(set(os.listdir(new)) - {changed})


def _edit(shop: list[Customer]) -> None:
    Interaction.objects.filter(customer=shop[0]).update(quantity=9, changed_at=timezone.now())


def _remove(shop: list[Customer]) -> None:
    Interaction.objects.filter(customer=shop[1]).first().delete()  # type: ignore[union-attr]


def _commit_late(shop: list[Customer]) -> None:
    late = Interaction.objects.create(customer=shop[3], kind="call", at=NOON)
    Interaction.objects.filter(pk=late.pk).update(changed_at=NOON)


def _swap(shop: list[Customer]) -> None:
    _remove(shop)
    _commit_late(shop)


def _edit_by_its_form(shop: list[Customer]) -> None:
    edited = Interaction.objects.get(basket="0-0")
    edited.quantity = 9
    edited.save(update_fields=["quantity"])


def _give_another_number(shop: list[Customer]) -> None:
    Customer.objects.filter(pk=shop[4].pk).update(code="C-4")


def _rename_product(shop: list[Customer]) -> None:
    Product.objects.filter(code="TEA").update(code="TEA-1")


@pytest.mark.parametrize(
    "change",
    [_edit, _remove, _commit_late, _swap, _edit_by_its_form, _give_another_number, _rename_product],
)
def test_a_change_behind_the_watermark_is_noticed(
    shop: list[Customer], change: Callable[[list[Customer]], None]
) -> None:
    build_snapshot()
    change(shop)
    after = build_snapshot()
    assert after.incremental is False
    same_files(after, build_snapshot(full=True))


def test_another_currency_setting_reads_everything_again(shop: list[Customer], settings: Any) -> None:
    build_snapshot()
    Interaction.objects.update(currency="")
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "CURRENCY": "EUR"}
    assert build_snapshot().incremental is False


def test_damaged_files_are_not_taken_over(shop: list[Customer], four_shards: None) -> None:
    shard = snapshot_folder(build_snapshot()) / "events" / "shard-0001.parquet"
    shard.write_bytes(shard.read_bytes()[:-9] + b"corrupted")
    after = build_snapshot()
    assert after.incremental is False
    same_files(after, build_snapshot(full=True))


def test_a_lost_folder_reads_everything_again(shop: list[Customer]) -> None:
    (snapshot_folder(build_snapshot()) / "manifest.json").unlink()
    assert build_snapshot().incremental is False


def test_future_events_wait_until_they_are_due(shop: list[Customer], monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    Interaction.objects.create(customer=shop[0], kind="visit", at=now + DAY)
    first = build_snapshot()
    assert first.events == 12
    assert read_json(snapshot_folder(first) / "source.json")["dropped"] == {"future": 1}
    monkeypatch.setattr(timezone, "now", lambda: now + 2 * DAY)
    second = build_snapshot()
    assert (second.incremental, second.events) == (True, 13)
    same_files(second, build_snapshot(full=True))


def test_an_empty_crm_gives_an_empty_snapshot(db: None) -> None:
    data = dataset(build_snapshot())
    data.verify()
    assert (data.manifest.events, data.manifest.customers, data.manifest.kinds) == (0, 0, {})
    assert (data.manifest.first_event, data.manifest.last_event) == (None, None)
    assert data.events().collect().is_empty()


def test_an_unknown_currency_stops_the_build_and_names_the_remedy(
    shop: list[Customer], agents_root: Path
) -> None:
    Interaction.objects.filter(customer=shop[0]).update(currency="USD")
    with pytest.raises(SnapshotError) as refused:
        build_snapshot()
    assert str(refused.value) == (
        "An amount is in USD, but BuiltInSource keeps its amounts in GBP and names no rate for USD. "
        'Add it: rates = {"USD": <GBP for one USD>}.'
    )
    assert list((agents_root / "snapshots").iterdir()) == []
    assert Snapshot.objects.count() == 0


def test_a_full_disk_leaves_no_folder_and_no_row(
    shop: list[Customer], agents_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shards, "write_events", full)
    with pytest.raises(SnapshotError) as refused:
        build_snapshot()
    assert str(refused.value) == (
        f"The disk that holds {agents_root / 'snapshots'} is full. Free some space, or let "
        'CRM_AGENTS["ROOT"] name a folder on another disk, and build again.'
    )
    assert list((agents_root / "snapshots").iterdir()) == []
    assert Snapshot.objects.count() == 0


def test_a_row_that_cannot_be_stored_leaves_no_folder(
    shop: list[Customer], agents_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**values: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Snapshot.objects, "create", refuse)
    with pytest.raises(KeyboardInterrupt):
        build_snapshot()
    assert list((agents_root / "snapshots").iterdir()) == []


def test_only_the_newest_three_and_those_in_use_are_kept(shop: list[Customer]) -> None:
    built = [build_snapshot(full=True) for _number in range(2)]
    TrainingRun.objects.create(agent=Agent.objects.create(name="churn"), snapshot=built[0])
    built += [build_snapshot(full=True) for _number in range(3)]
    assert list(Snapshot.objects.order_by("id")) == [built[0], *built[2:]]
    assert [snapshot_folder(each).exists() for each in built] == [True, False, True, True, True]
    assert prune_snapshots() == 0


def test_progress_counts_up_and_may_use_the_database(shop: list[Customer]) -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(phase: str, done: int, of: int) -> None:
        seen.append((phase, done, of))
        Customer.objects.filter(code="c0").update(country=phase)

    build_snapshot(on_progress=progress)
    assert seen == [
        ("counting", 0, 1),
        ("events", 12, 12),
        ("shards", 1, 1),
        ("customers", 6, 6),
        ("products", 2, 2),
    ]


def test_rows_that_are_no_events_are_counted_by_reason(shapes: None, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.Firms"}
    from tests.hosts.shapes.models import Article, Deal, DealLine, Firm

    known, hidden = (Firm.objects.create(title=title, active=title == "A") for title in "AB")
    article = Article.objects.create(sku="X", title="X")
    for firm, closed in ((known, NOON), (known, None), (hidden, NOON), (None, NOON)):
        line = Deal.objects.create(firm=firm, closed=closed)
        DealLine.objects.create(deal=line, article=article, total="4.00", currency="USD")
    snapshot = build_snapshot()
    assert read_json(snapshot_folder(snapshot) / "source.json")["dropped"] == {"no customer": 2, "no date": 1}
    assert dataset(snapshot).events().collect()["amount"].to_list() == [2.0]
    assert dataset(snapshot).customers().collect()["customer"].to_list() == [str(known.pk)]


def test_a_product_outside_the_source_is_kept_as_not_available(
    shapes: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.TitledFirms"}
    from tests.hosts.shapes.models import Article, Deal, DealLine, Firm

    deal = Deal.objects.create(firm=Firm.objects.create(title="A"), closed=NOON)
    DealLine.objects.create(deal=deal, article=Article.objects.create(sku="BLANK"))
    Article.objects.create(sku="FULL", title="Full")
    rows = dataset(build_snapshot()).products().collect().rows()
    assert rows == [("BLANK", "BLANK", None, None, False), ("FULL", "Full", None, None, True)]


def test_each_tenant_has_its_own_snapshot_and_days_begin_at_its_midnight(
    shapes: None, settings: Any, four_shards: None
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.Members"}
    from tests.hosts.shapes.models import Member, Visit

    for number, company in enumerate(("north", "south", "south")):
        member = Member.objects.create(number=number, name="?", company=company)
        Visit.objects.create(member=member, day=dt.date(2024, 1, 2), word="" if number == 2 else "visit")
    north, south = (dataset(build_snapshot(tenant)) for tenant in ("north", "south"))
    assert north.events().select("customer", "at", "kind").collect().rows() == [
        ("0", dt.datetime(2024, 1, 2, 5, tzinfo=dt.UTC), "visit")
    ]
    assert south.customers().collect()["customer"].to_list() == ["1", "2"]
    assert south.events().collect()["customer"].to_list() == ["1"]
    assert read_json(south.folder / "source.json")["dropped"] == {"no customer": 1, "no kind": 1}
    assert (north.manifest.tenant, south.manifest.tenant) == ("north", "south")


@pytest.mark.parametrize("rows", [1, 5])
def test_any_database_gives_the_same_files_in_frames_of_any_size(
    shop: list[Customer], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    usual = build_snapshot(full=True)
    monkeypatch.setattr(extraction, "PAGE_ROWS", rows)
    monkeypatch.setattr(extraction, "FRAME_ROWS", rows)
    same_files(usual, build_snapshot(full=True))
    monkeypatch.setattr(extraction, "_fast_frames", lambda found, spool: None)
    same_files(usual, build_snapshot(full=True))


def test_debugging_changes_no_file(shop: list[Customer]) -> None:
    usual = build_snapshot(full=True)
    with CaptureQueriesContext(connection):  # uses the cursor that DEBUG does
        same_files(usual, build_snapshot(full=True))


def test_local_times_are_placed_as_python_places_them() -> None:
    texts = [
        "2024-01-01",
        "2024-03-31 01:30:00",  # skipped by the clock in London
        "2024-10-27 01:30:00.250000",  # happened twice there
        "2024-06-01T10:00:00+02:00",
        "infinity",
        None,
    ]
    placed = extraction._moments(pl.Series("at", texts, pl.String()), "Europe/London")
    assert placed.to_list() == [
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC),
        dt.datetime(2024, 10, 27, 0, 30, 0, 250000, tzinfo=dt.UTC),
        dt.datetime(2024, 6, 1, 8, tzinfo=dt.UTC),
        None,
        None,
    ]


@pytest.mark.parametrize(("events", "expected"), [(0, 1), (250, 1), (251, 2), (500, 2), (501, 4), (1_001, 8)])
def test_shards_grow_by_doubling(events: int, expected: int) -> None:
    assert shards.shards_for(events, 250) == expected


def test_a_host_without_time_zones_is_read_in_the_sources_zone(
    shapes: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_TZ = False
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.Firms"}
    from tests.hosts.shapes.models import Deal, DealLine, Firm

    deal = Deal.objects.create(firm=Firm.objects.create(title="A"), closed=NINTH_NOON.replace(tzinfo=None))
    DealLine.objects.create(deal=deal)
    source = selectors.get_source()
    found = rows_to_read(source, source.interactions[0], NINTH_ELEVEN, None)
    for fast in (True, False):
        if not fast:
            monkeypatch.setattr(extraction, "_fast_frames", lambda found, spool: None)
        frames = list(extraction.event_frames(source, found, Path(settings.CRM_AGENTS["ROOT"]), Counter()))
        assert [frame["at"].to_list() for frame in frames] == [[NINTH_ELEVEN]]
    [event] = selectors.customer_events(str(deal.firm_id))
    assert event.at == NINTH_ELEVEN


def test_without_time_zones_a_snapshot_is_extended_all_the_same(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_TZ = False
    customer = Customer.objects.create(code="c1", name="Ann")
    Interaction.objects.create(customer=customer, kind="call", at=NOON.replace(tzinfo=None))
    first = build_snapshot()
    assert dataset(first).manifest.watermark.endswith("+00:00")
    Interaction.objects.create(customer=customer, kind="call", at=NINTH_NOON.replace(tzinfo=None))
    second = build_snapshot()
    assert (second.incremental, second.events) == (True, 2)
    same_files(second, build_snapshot(full=True))


def test_the_command_builds_each_tenants_snapshot_and_says_what_was_left_out(
    shapes: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.Members"}
    from tests.hosts.shapes.models import Member, Visit

    Visit.objects.create(
        member=Member.objects.create(number=1, name="Ann", company="south"), day=dt.date(2024, 1, 2)
    )
    call_command("build_snapshot")
    north, south = Snapshot.objects.order_by("id")
    assert capsys.readouterr().out.splitlines() == [
        f"0 events of 0 customers and 0 products in {snapshot_folder(north)}",
        "  left out, no customer: 1 rows",
        f"1 events of 1 customers and 0 products in {snapshot_folder(south)}",
    ]
    call_command("build_snapshot", "--tenant", "south", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["tenant"], facts["events"], facts["sha256"]) == ("south", 1, south.sha256)


def test_the_command_says_why_it_could_not(db: None, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ROOT": "/dev/null/here"}
    with pytest.raises(CommandError) as refused:
        call_command("build_snapshot")
    assert str(refused.value) == (
        "The files of the snapshot could not be written below /dev/null/here/snapshots: [Errno 20] Not a "
        f"directory: '{refused.value.__cause__.__cause__.filename}'. Check that the folder exists and that "  # type: ignore[union-attr]
        "this process may write to it."
    )
