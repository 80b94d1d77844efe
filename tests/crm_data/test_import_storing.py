"""All or nothing, once and only once, and what is there stays as it is."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from crm_data.importing import copying, writing
from crm_data.importing.errors import ImportRefused
from crm_data.importing.options import ImportOptions
from crm_data.importing.report import ImportReport
from crm_data.importing.running import import_transactions
from crm_data.models import Customer, ImportBatch, Interaction, Product
from tests.crm_data.transactions import Sales

pytestmark = pytest.mark.django_db


def many(count: int, **changes: str) -> list[dict[str, str]]:
    return [{"invoice": str(number), "customer": str(number % 7), **changes} for number in range(count)]


def test_the_report_is_kept_with_the_file_s_hash(sales: Sales) -> None:
    report = import_transactions(sales({}, {}))

    batch = ImportBatch.objects.get()
    assert (batch.file_name, batch.sha256) == ("sales.csv", report.sha256)
    assert ImportReport.from_json(batch.report).dropped == report.dropped
    assert (batch.report["purchases"], batch.report["customers_new"]) == (1, 1)


def test_the_same_file_twice_changes_nothing(sales: Sales) -> None:
    path = sales(*many(10))
    first = import_transactions(path)
    before = list(Interaction.objects.order_by("pk").values())

    second = import_transactions(path)

    assert (first.already_imported, second.already_imported) == (False, True)
    assert (second.purchases, second.dropped) == (10, {})
    assert list(Interaction.objects.order_by("pk").values()) == before
    assert ImportBatch.objects.count() == 1


def test_the_same_file_with_other_options_needs_a_word(sales: Sales) -> None:
    path = sales(*many(10))
    import_transactions(path)

    other = ImportOptions(keep_repeated=True)
    with pytest.raises(ImportRefused, match="with other options, so its lines may be stored twice"):
        import_transactions(path, other)

    report = import_transactions(path, other, again=True)
    assert (report.purchases, report.already_stored, Interaction.objects.count()) == (10, 10, 10)
    assert ImportBatch.objects.count() == 2


def test_again_stores_what_was_deleted_since(sales: Sales) -> None:
    path = sales(*many(10))
    import_transactions(path)
    Interaction.objects.filter(pk__in=list(Interaction.objects.values_list("pk", flat=True)[:4])).delete()
    assert import_transactions(path).already_imported

    report = import_transactions(path, again=True)
    assert (report.already_imported, report.purchases, report.already_stored) == (False, 10, 6)
    assert Interaction.objects.count() == 10
    batch = ImportBatch.objects.get()
    assert batch.report["already_stored"] == 6
    assert import_transactions(path, again=True).already_stored == 10


def test_overlapping_files_store_common_lines_once(sales: Sales) -> None:
    import_transactions(sales(*many(10), name="first.csv"))

    report = import_transactions(sales(*many(15), name="second.csv"))

    assert (report.purchases, report.already_stored) == (15, 10)
    assert (report.customers, report.customers_new) == (7, 0)
    assert Interaction.objects.count() == 15


def test_existing_rows_keep_their_values_and_get_only_blank_ones_filled(sales: Sales) -> None:
    Customer.objects.create(code="17850", name="Ann", country="")
    Customer.objects.create(code="17851", name="Bob", country="Malta")
    Product.objects.create(code="85123A", name="Heart", category="Decoration", price=None)

    report = import_transactions(sales({}, {"invoice": "2", "customer": "17851"}))

    assert list(Customer.objects.values_list("name", "country")) == [
        ("Ann", "United Kingdom"),
        ("Bob", "Malta"),
    ]
    product = Product.objects.get()
    assert (product.name, product.category, product.price) == ("Heart", "Decoration", Decimal("2.55"))
    assert (report.customers_new, report.products_new) == (0, 0)


def test_columns_of_a_mapping_are_used(sales: Sales) -> None:
    header = ["bon", "sku", "text", "count", "day", "each", "who", "land"]
    columns = {"customer": "who", "product": "sku", "quantity": "count", "at": "day", "category": "text"}
    path = sales({"product": "post", "at": "2010-12-01"}, header=header)

    report = import_transactions(path, ImportOptions(columns=columns, currency="EUR"))

    assert report.purchases == 1
    row = Interaction.objects.select_related("product").get()
    assert row.product is not None
    assert (row.product.code, row.product.name, row.product.category) == (
        "POST",
        "POST",
        "WHITE HANGING HEART",
    )
    assert (row.amount, row.currency, row.basket, row.at.isoformat()) == (
        None,
        "EUR",
        "",
        "2010-12-01T00:00:00+00:00",
    )


def test_a_failure_in_the_middle_of_storing_leaves_nothing(
    sales: Sales, agents_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_data.importing.running.parts_for", lambda _path: 3)
    stored: list[int] = []

    def then_fail(_phase: str, done: int, _of: int) -> None:
        if _phase == "storing":
            stored.append(done)
            raise DatabaseError("the line was cut")

    with pytest.raises(ImportRefused) as refused:
        import_transactions(sales(*many(30)), on_progress=then_fail)

    assert str(refused.value) == "The database refused the import (the line was cut). Nothing was stored."
    assert len(stored) == 1
    assert 0 < stored[0] < 30
    assert (Interaction.objects.count(), Customer.objects.count(), ImportBatch.objects.count()) == (0, 0, 0)
    assert not list(agents_root.glob("imports/*"))


def test_parts_and_batches_give_the_same_rows_as_one(sales: Sales, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        *many(40),
        *(
            {"invoice": f"C{n}", "customer": str(n % 7), "quantity": "-1", "at": "2011-01-01 00:00:00"}
            for n in range(9)
        ),
    ]
    path = sales(*rows)
    whole = import_transactions(path)
    keys = set(Interaction.objects.values_list("key", "return_of"))
    Interaction.objects.all().delete()
    ImportBatch.objects.all().delete()
    monkeypatch.setattr("crm_data.importing.running.parts_for", lambda _path: 5)

    parted = import_transactions(path, ImportOptions(batch_rows=7))

    assert (whole.purchases, whole.returns) == (parted.purchases, parted.returns) == (40, 9)
    assert set(Interaction.objects.values_list("key", "return_of")) == keys


def test_both_ways_into_the_database_store_the_same(sales: Sales, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sales(
        *many(20, description='A "quoted", HEART'), {"invoice": "C1", "customer": "1", "quantity": "-2"}
    )
    columns = (
        "customer__code",
        "product__name",
        "kind",
        "at",
        "quantity",
        "amount",
        "basket",
        "key",
        "return_of",
    )
    import_transactions(path)
    usual = set(Interaction.objects.values_list(*columns))
    Interaction.objects.all().delete()
    ImportBatch.objects.all().delete()
    monkeypatch.setattr(writing, "can_copy", lambda _using: False)

    import_transactions(path)

    assert len(usual) == 21
    assert set(Interaction.objects.values_list(*columns)) == usual


def test_postgresql_is_filled_by_copy_and_others_by_bulk_create(sales: Sales) -> None:
    with CaptureQueriesContext(connection) as queries:
        import_transactions(sales(*many(20)))

    statements = [query["sql"] for query in queries]
    staged = [sql for sql in statements if "crm_data_staging" in sql]
    assert copying.can_copy("default") == (connection.vendor == "postgresql")
    assert bool(staged) == (connection.vendor == "postgresql")


def test_of_two_imports_of_one_file_at_once_the_second_is_refused(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sales({})
    import_transactions(path)
    monkeypatch.setattr("crm_data.importing.running._earlier", lambda *_args, **_kwargs: None)

    with pytest.raises(ImportRefused) as refused:
        import_transactions(path)
    assert str(refused.value) == "sales.csv was imported by someone else at this very moment."
    assert (Interaction.objects.count(), ImportBatch.objects.count()) == (1, 1)


def test_a_failure_of_copy_itself_is_told_like_any_other(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        return
    monkeypatch.setattr(copying, "_COPY", copying._COPY.replace("basket", "bascet"))

    with pytest.raises(ImportRefused, match=r"The database refused the import \(column .bascet. of relation"):
        import_transactions(sales({}))
    assert (Interaction.objects.count(), ImportBatch.objects.count()) == (0, 0)


def test_folders_that_a_killed_import_left_are_removed(sales: Sales, agents_root: Path) -> None:
    old, young = agents_root / "imports" / "import-old", agents_root / "imports" / "import-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))

    import_transactions(sales({}))

    assert [entry.name for entry in (agents_root / "imports").iterdir()] == ["import-young"]


def test_progress_goes_through_its_phases(sales: Sales) -> None:
    seen: list[tuple[str, int, int]] = []

    import_transactions(sales(*many(20)), on_progress=lambda *step: seen.append(step))

    size = seen[0][2]
    assert seen == [("reading", size, size), ("sorting", 1, 1), ("storing", 20, 20)]
