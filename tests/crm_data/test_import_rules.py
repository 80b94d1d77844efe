"""Which rows are kept, as what, and under which reason the others are dropped."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from crm_data.importing.options import ImportOptions
from crm_data.importing.report import ImportReport
from crm_data.importing.running import import_transactions
from crm_data.models import Customer, Interaction, Product
from tests.crm_data.transactions import Sales

pytestmark = pytest.mark.django_db


def dropped(report: ImportReport) -> dict[str, tuple[int, list[int]]]:
    return {name: (item.rows, item.lines) for name, item in report.dropped.items()}


def test_a_line_becomes_a_purchase_with_its_customer_and_product(sales: Sales) -> None:
    report = import_transactions(sales({}))

    assert (report.rows_read, report.purchases, report.returns, report.dropped) == (1, 1, 0, {})
    row = Interaction.objects.select_related("customer", "product").get()
    assert (row.kind, row.basket, row.quantity, row.amount, row.currency) == (
        "purchase",
        "536365",
        6.0,
        Decimal("15.30"),
        "GBP",
    )
    assert row.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert (row.customer.code, row.customer.name, row.customer.country) == (
        "17850",
        "17850",
        "United Kingdom",
    )
    assert row.product is not None
    assert (row.product.code, row.product.name, row.product.price) == (
        "85123A",
        "WHITE HANGING HEART",
        Decimal("2.55"),
    )


def test_times_are_read_in_the_time_zone_of_the_file(sales: Sales) -> None:
    import_transactions(sales({"at": "2011-07-01 09:00:00"}))

    assert Interaction.objects.get().at == datetime(2011, 7, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2011-07-01T09:00:00Z", 9),
        ("2011-07-01T09:00:00+03:00", 6),
        ("2011-07-01 09:00:00.250", 9),
        ("2011-07-01T09:00:00", 9),
        ("2011-07-01 09:00", 9),
        ("2011-07-01", 0),
    ],
)
def test_iso_forms_of_times_are_tried(sales: Sales, text: str, hour: int) -> None:
    columns = {"customer": "Customer ID", "product": "StockCode", "quantity": "Quantity", "at": "InvoiceDate"}

    import_transactions(sales({"at": text}), ImportOptions(columns=columns))

    assert Interaction.objects.get().at.replace(microsecond=0) == datetime(2011, 7, 1, hour, tzinfo=UTC)


def test_a_time_that_the_clock_skipped_is_a_bad_date(sales: Sales) -> None:
    report = import_transactions(sales({"at": "2011-03-27 01:30:00"}, {}, {"product": "22423"}))

    assert dropped(report) == {"bad_date": (1, [2])}


def test_columns_named_as_the_fields_need_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("at,customer,note,product,quantity\n2026-03-02 10:15,C1,x,P1,2\n")
    import_transactions(path, ImportOptions())
    stored = Interaction.objects.values_list("customer__code", "product__code", "quantity", "at").get()
    assert stored == ("C1", "P1", 2.0, datetime(2026, 3, 2, 10, 15, tzinfo=UTC))


def test_a_decimal_comma_is_read_on_request(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(
        "at;customer;product;quantity;price\n"
        "01.03.2026;C1;P1;2;1.234,50\n"
        "02.03.2026;C1;P1;1,5;0,10\n"
        "03.03.2026;C1;P1;1;7\n"
        "04.03.2026;C1;P1;1;1.50\n"
    )
    report = import_transactions(path, ImportOptions(delimiter=";", decimal=",", date_format="%d.%m.%Y"))
    amounts = Interaction.objects.order_by("at").values_list("quantity", "amount")
    assert list(amounts) == [
        (2.0, Decimal("2469.00")),
        (1.5, Decimal("0.15")),
        (1.0, Decimal(7)),
    ]
    assert dropped(report) == {"bad_number": (1, [5])}


def test_product_codes_are_trimmed_and_upper_case(sales: Sales) -> None:
    report = import_transactions(sales({"product": " 85123a "}, {"invoice": "2", "product": "85123A"}))

    assert report.purchases == 2
    assert list(Product.objects.values_list("code", flat=True)) == ["85123A"]


def test_a_customer_number_written_as_a_decimal_is_the_same_number(sales: Sales) -> None:
    import_transactions(sales({"customer": "17850.0"}, {"invoice": "2", "customer": "17850"}))

    assert list(Customer.objects.values_list("code", flat=True)) == ["17850"]


def test_the_most_frequent_description_names_the_product(sales: Sales) -> None:
    import_transactions(
        sales(
            {"invoice": "1", "description": "HEART"},
            {"invoice": "2", "description": "HEART"},
            {"invoice": "3", "description": "damaged", "at": "2011-01-01 10:00:00"},
        )
    )

    assert Product.objects.get().name == "HEART"


def test_of_equally_frequent_descriptions_the_latest_names_the_product(sales: Sales) -> None:
    import_transactions(
        sales(
            {"invoice": "1", "description": "NEW HEART", "at": "2011-01-01 10:00:00"},
            {"invoice": "2", "description": "OLD HEART", "at": "2010-12-31 10:00:00"},
        )
    )

    assert Product.objects.get().name == "NEW HEART"


def test_a_customer_has_the_latest_country_and_a_product_the_latest_price(sales: Sales) -> None:
    import_transactions(
        sales(
            {"invoice": "1", "country": "France", "price": "3", "at": "2011-01-01 10:00:00"},
            {"invoice": "2", "country": "Spain", "price": "4", "at": "2010-12-31 10:00:00"},
        )
    )

    assert Customer.objects.get().country == "France"
    assert Product.objects.get().price == Decimal("3.00")


def test_repeated_lines_are_dropped(sales: Sales) -> None:
    report = import_transactions(sales({}, {}, {"quantity": "7"}, {}))

    assert dropped(report) == {"duplicate": (2, [3, 5])}
    assert list(Interaction.objects.order_by("quantity").values_list("quantity", flat=True)) == [6.0, 7.0]


def test_repeated_lines_are_kept_on_request(sales: Sales) -> None:
    report = import_transactions(sales({}, {}), ImportOptions(keep_repeated=True))

    assert (report.purchases, report.dropped) == (2, {})
    assert Interaction.objects.values("key").distinct().count() == 2


def test_lines_that_stand_again_in_a_later_part_are_overlap_not_repetition(sales: Sales) -> None:
    early, late = {"at": "2010-12-01 08:26:00"}, {"at": "2010-12-09 10:00:00", "invoice": "9"}
    after = {"at": "2010-12-10 10:00:00", "invoice": "10"}

    report = import_transactions(sales(early, early, late, early, early, late, after))

    assert dropped(report) == {"overlap": (3, [5, 6, 7]), "duplicate": (1, [3])}
    assert report.purchases == 3


def test_overlap_is_dropped_once_even_where_repeated_lines_are_kept(sales: Sales) -> None:
    early, late = {"at": "2010-12-01 08:26:00"}, {"at": "2010-12-09 10:00:00", "invoice": "9"}

    report = import_transactions(
        sales(early, early, late, early, early, early), ImportOptions(keep_repeated=True)
    )

    assert dropped(report) == {"overlap": (2, [5, 6])}
    assert report.purchases == 4


def test_a_cancellation_becomes_a_return_linked_to_its_purchase(sales: Sales) -> None:
    report = import_transactions(
        sales(
            {"invoice": "1", "quantity": "10"},
            {"invoice": "C2", "quantity": "-4", "at": "2010-12-03 09:00:00"},
        )
    )

    assert (report.purchases, report.returns, report.dropped) == (1, 1, {})
    purchase, back = Interaction.objects.order_by("at")
    assert (back.kind, back.quantity, back.amount, back.basket) == ("return", 4.0, Decimal("10.20"), "C2")
    assert back.return_of == purchase.key
    assert purchase.return_of is None


@pytest.mark.parametrize(
    ("why", "purchase"),
    [
        ("another customer", {"customer": "1"}),
        ("another product", {"product": "22423"}),
        ("not enough", {"quantity": "3"}),
        ("later", {"at": "2010-12-04 09:00:00"}),
    ],
)
def test_a_cancellation_without_a_fitting_purchase_is_dropped(
    sales: Sales, why: str, purchase: dict[str, str]
) -> None:
    report = import_transactions(
        sales(
            {"quantity": "4", **purchase},
            {"invoice": "C2", "quantity": "-4", "at": "2010-12-03 09:00:00"},
        )
    )

    assert dropped(report) == {"unmatched_return": (1, [3])}
    assert list(Interaction.objects.values_list("kind", flat=True)) == ["purchase"]


def test_a_purchase_is_not_returned_twice(sales: Sales) -> None:
    back = {"quantity": "-4", "at": "2010-12-03 09:00:00"}

    report = import_transactions(
        sales({"quantity": "6"}, {"invoice": "C2", **back}, {"invoice": "C3", **back})
    )

    assert (report.returns, dropped(report)) == (1, {"unmatched_return": (1, [4])})


def test_cancellations_that_differ_in_their_sign_alone_are_two_returns(sales: Sales) -> None:
    path = sales(
        {"quantity": "10"},
        {"invoice": "C1", "at": "2010-12-02 08:00:00", "quantity": "-5"},
        {"invoice": "C1", "at": "2010-12-02 08:00:00", "quantity": "5"},
    )
    report = import_transactions(path)

    assert (report.purchases, report.returns, report.already_stored) == (1, 2, 0)
    assert sorted(Interaction.objects.values_list("kind", "quantity")) == [
        ("purchase", 10.0),
        ("return", 5.0),
        ("return", 5.0),
    ]


def test_a_price_that_no_column_holds_is_a_bad_number(sales: Sales) -> None:
    report = import_transactions(sales({}, {"price": "1000000000000", "quantity": "0.001"}))

    assert dropped(report) == {"bad_number": (1, [3])}
    assert Product.objects.get().price == Decimal("2.55")


def test_the_newest_purchase_is_the_one_returned(sales: Sales) -> None:
    import_transactions(
        sales(
            {"invoice": "old", "at": "2010-12-01 09:00:00"},
            {"invoice": "new", "at": "2010-12-02 09:00:00"},
            {"invoice": "C3", "quantity": "-1", "at": "2010-12-03 09:00:00"},
        )
    )

    returned = Interaction.objects.get(kind="return").return_of
    assert Interaction.objects.get(key=returned).basket == "new"


@pytest.mark.parametrize(
    ("reason", "row"),
    [
        ("bad_date", {"at": "yesterday"}),
        ("bad_date", {"at": ""}),
        ("bad_number", {"quantity": "six"}),
        ("bad_number", {"price": ""}),
        ("bad_number", {"price": "nan"}),
        ("bad_number", {"quantity": "inf"}),
        ("bad_number", {"quantity": "1e9", "price": "1e9"}),
        ("too_long", {"invoice": "9" * 65}),
        ("no_customer", {"customer": "  "}),
        ("not_a_product", {"product": "POST"}),
        ("not_a_product", {"product": "gift_0001_20"}),
        ("not_a_product", {"product": ""}),
        ("no_quantity", {"quantity": "0"}),
        ("zero_price", {"price": "0"}),
        ("negative_price", {"price": "-11062.06"}),
    ],
)
def test_a_row_is_dropped_for_its_reason(sales: Sales, reason: str, row: dict[str, str]) -> None:
    report = import_transactions(sales({}, {"invoice": "2"}, row))

    assert dropped(report) == {reason: (1, [4])}
    assert (report.rows_read, report.purchases, Interaction.objects.count()) == (3, 2, 2)


def test_an_event_in_the_future_is_dropped(sales: Sales) -> None:
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d %H:%M:%S}"

    report = import_transactions(sales({}, {"at": tomorrow}))

    assert dropped(report) == {"future": (1, [3])}
    assert Interaction.objects.count() == 1


def test_the_report_accounts_for_every_row(sales: Sales) -> None:
    report = import_transactions(
        sales(
            {}, {}, {"customer": ""}, {"price": "0"}, {"invoice": "C9", "quantity": "-99"}, {"product": "M"}
        )
    )

    assert report.rows_read == 6
    assert report.kept + sum(item.rows for item in report.dropped.values()) == 6
    assert list(report.as_json()["dropped"]) == [
        "duplicate",
        "no_customer",
        "not_a_product",
        "unmatched_return",
        "zero_price",
    ]
    table = report.as_table().splitlines()
    assert table[0].split() == ["rows", "read", "6"]
    assert any(line.startswith("− price of zero") and line.endswith("lines 5 …") for line in table)
    assert ImportReport.from_json(report.as_json()) == report
