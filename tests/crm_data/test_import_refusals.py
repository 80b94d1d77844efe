"""Files and options that cannot be used: the message names value and remedy, and nothing is stored."""

import errno
import gzip
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest
from django.db import connection

from crm_data.builtin import BuiltInSource
from crm_data.importing.errors import ImportRefused
from crm_data.importing.mapping import parse_map
from crm_data.importing.options import ImportOptions
from crm_data.importing.running import import_transactions
from crm_data.models import Customer, ImportBatch, Interaction, Product
from tests.crm_data.transactions import HEADER, Sales

pytestmark = pytest.mark.django_db


def refusal(path: Path, agents_root: Path, **options: Any) -> str:
    """Return the message of the refusal, having seen that nothing is left of the attempt."""
    with pytest.raises(ImportRefused) as refused:
        import_transactions(path, ImportOptions(**options))
    stored = [model.objects.count() for model in (Customer, Product, Interaction, ImportBatch)]
    assert stored == [0, 0, 0, 0]
    assert not list(agents_root.glob("imports/*"))
    return str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path, agents_root: Path) -> None:
    path = tmp_path / "none.csv"
    assert refusal(path, agents_root) == f"{path} cannot be read: No such file or directory."


def test_an_empty_file_is_refused(tmp_path: Path, agents_root: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")
    assert refusal(path, agents_root) == f"{path} is empty; its first line must name the columns."


def test_a_currency_without_a_rate_is_refused(sales: Sales, agents_root: Path) -> None:
    assert refusal(sales({}), agents_root, currency="USD") == (
        "The prices are in USD, but amounts are kept in GBP and no rate is named. Where all amounts are "
        'in USD, set CRM_AGENTS["CURRENCY"] = "USD"; else name in CRM_AGENTS["SOURCE"] a Source derived from '
        'BuiltInSource with rates = {"USD": <GBP for one USD>}.'
    )


class InPounds(BuiltInSource):
    rates: Mapping[str, float] = MappingProxyType({"USD": 0.8})


def test_a_currency_with_a_rate_is_imported(sales: Sales, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": f"{__name__}.InPounds"}
    import_transactions(sales({}), ImportOptions(currency="USD"))
    assert Interaction.objects.get().currency == "USD"


def test_a_file_of_a_header_alone_is_refused(sales: Sales, agents_root: Path) -> None:
    path = sales()
    assert refusal(path, agents_root) == f"{path} has a header but no rows."


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04rest", "an Excel workbook or a ZIP archive"),
        (b"%PDF-1.7", "a PDF document"),
        ("Invoice,".encode("utf-16"), "UTF-16 text"),
    ],
)
def test_another_type_of_file_is_named(tmp_path: Path, agents_root: Path, content: bytes, what: str) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(content)
    assert refusal(path, agents_root) == f"{path} is {what}, not CSV. Save it as CSV (UTF-8) first."


def test_a_cut_off_gzip_names_the_last_good_line(tmp_path: Path, sales: Sales, agents_root: Path) -> None:
    whole = sales(*({"invoice": str(number)} for number in range(500)), name="whole.csv.gz").read_bytes()
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[:-20])
    message = refusal(path, agents_root)
    assert message.startswith(f"{path} is damaged or incomplete after line ")
    assert message.endswith("fetch it again.")


def test_a_nul_byte_is_refused_with_its_line(sales: Sales, agents_root: Path) -> None:
    path = sales({}, {"description": "HEA\0RT"})
    assert refusal(path, agents_root) == (
        f"Line 3 of {path} holds a NUL byte. Export the file again or remove the byte, "
        "or leave such lines out: --drop-broken."
    )


def test_broken_utf8_is_refused_with_its_line_and_byte(sales: Sales, agents_root: Path) -> None:
    path = sales({}, {"description": "CAF#"})
    path.write_bytes(path.read_bytes().replace(b"CAF#", b"CAF\xc9"))
    assert refusal(path, agents_root) == (
        f"Line 3 of {path} is not utf-8 (byte 0xc9 at position 18). "
        "Name the file's encoding, e.g. --encoding cp1252, or leave such lines out: --drop-broken."
    )


def test_a_ragged_line_is_refused_with_its_number(sales: Sales, agents_root: Path) -> None:
    path = sales({}, {})
    path.write_bytes(path.read_bytes() + b"1,2,3\r\n")
    assert refusal(path, agents_root) == (
        f"Line 4 of {path} has 3 columns, the header has 8. Correct the line, "
        "or leave such lines out: --drop-broken."
    )


def test_broken_lines_are_left_out_and_counted_on_request(sales: Sales) -> None:
    path = sales({}, {"description": "HEA\0RT"}, {"description": "CAF#"}, {"invoice": "2"})
    path.write_bytes(path.read_bytes().replace(b"CAF#", b"CAF\xc9") + b"1,2,3\r\n")

    report = import_transactions(path, ImportOptions(drop_broken=True))

    assert (report.rows_read, report.purchases) == (5, 2)
    assert (report.dropped["broken"].rows, report.dropped["broken"].lines) == (3, [3, 4, 6])


def test_another_encoding_is_read_on_request(sales: Sales) -> None:
    path = sales({"description": "CAF#"})
    path.write_bytes(path.read_bytes().replace(b"CAF#", b"CAF\xc9"))

    import_transactions(path, ImportOptions(encoding="cp1252"))

    assert Product.objects.get().name == "CAFÉ"


def test_a_byte_order_mark_is_no_part_of_the_first_column(sales: Sales) -> None:
    path = sales({})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert import_transactions(path).purchases == 1


def test_a_line_break_inside_quotes_belongs_to_the_value(sales: Sales) -> None:
    import_transactions(sales({"description": "WHITE\nHEART"}, {"invoice": "2", "price": "0"}))

    assert Product.objects.get().name == "WHITE\nHEART"


def test_unknown_columns_are_listed(sales: Sales, agents_root: Path) -> None:
    path = sales({}, header=["a", "b", "c", "d", "e", "f", "g", "h"])
    assert refusal(path, agents_root) == (
        "The columns 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' are not known. Say what they mean with --map, "
        "at least: customer=… product=… quantity=… at=…."
    )


def test_another_delimiter_is_suggested(tmp_path: Path, agents_root: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("Invoice;StockCode\n1;2\n")
    assert refusal(path, agents_root).endswith("If columns are parted by ';', add --delimiter ';'.")


def test_another_delimiter_is_suggested_beside_a_mapping(tmp_path: Path, agents_root: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("Kunde;Artikel;Menge;Datum\n1;2;3;4\n")
    columns = parse_map(["customer=Kunde", "product=Artikel", "quantity=Menge", "at=Datum"])
    assert refusal(path, agents_root, columns=columns) == (
        "--map customer=Kunde: the file has no column 'Kunde', only 'Kunde;Artikel;Menge;Datum'."
        " If columns are parted by ';', add --delimiter ';'."
    )


def test_a_decimal_comma_is_suggested(sales: Sales, agents_root: Path) -> None:
    assert refusal(sales({"price": "1,50"}), agents_root) == (
        "Column 'Price' cannot be read as price in 1 of 1 rows, first in line 2: '1,50'. "
        "Please add --decimal , where numbers are written as in 1,50."
    )


def test_a_wrong_column_name_is_refused_with_the_near_one(sales: Sales, agents_root: Path) -> None:
    columns = parse_map(["customer=Customer_ID", "product=StockCode", "quantity=Quantity", "at=InvoiceDate"])
    assert refusal(sales({}), agents_root, columns=columns) == (
        "--map customer=Customer_ID: the file has no column 'Customer_ID', only "
        + ", ".join(map(repr, HEADER))
        + ". Did you mean 'Customer ID'?"
    )


def test_a_mapping_without_a_needed_field_is_refused(sales: Sales, agents_root: Path) -> None:
    columns = parse_map(["customer=Customer ID", "product=StockCode", "quantity=Quantity"])
    message = refusal(sales({}), agents_root, columns=columns)
    assert message.startswith("No column is named for at; add at=… to --map. The file has 'Invoice', ")


def test_swapped_columns_are_refused_with_column_value_and_remedy(sales: Sales, agents_root: Path) -> None:
    pairs = ["customer=Customer ID", "product=StockCode", "quantity=Description", "at=InvoiceDate"]
    assert refusal(sales({}, {}), agents_root, columns=parse_map(pairs)) == (
        "Column 'Description' cannot be read as quantity in 2 of 2 rows, first in line 2: "
        "'WHITE HANGING HEART'. Please name the right column with --map quantity=…."
    )


def test_dates_of_another_form_are_refused_with_the_remedy(sales: Sales, agents_root: Path) -> None:
    path = sales({"at": "13/12/2010 08:26"}, {"at": "14/12/2010 08:26"})
    assert refusal(path, agents_root) == (
        "Column 'InvoiceDate' cannot be read as at in 2 of 2 rows, first in line 2: '13/12/2010 08:26'. "
        "Please name the right column with --map at=… or the form of its dates with --date-format, "
        "e.g. --date-format '%d/%m/%Y %H:%M'."
    )


def test_a_column_that_is_mostly_unreadable_is_refused_at_the_end(sales: Sales, agents_root: Path) -> None:
    path = sales({}, {"price": "x"}, {"price": "y"})
    assert "'Price' cannot be read as price in 2 of 3 rows" in refusal(path, agents_root)


def test_a_file_of_which_no_row_can_be_used_is_refused(sales: Sales, agents_root: Path) -> None:
    path = sales({"customer": ""}, {"product": "POST"}, {"customer": "", "invoice": "3"})
    assert refusal(path, agents_root) == (
        "Only 0 of the 3 rows of sales.csv can be used, so the columns seem wrong. "
        "Most often: no customer (2 rows, first in line 2). Check --map, --product-pattern and --date-format."
    )


def test_a_file_of_which_hardly_a_row_can_be_used_is_refused(sales: Sales, agents_root: Path) -> None:
    path = sales({}, *({"customer": "", "invoice": str(number)} for number in range(100)))
    assert refusal(path, agents_root).startswith("Only 1 of the 101 rows of sales.csv can be used")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"timezone": "Europe/Lodnon"},
            "--timezone 'Europe/Lodnon' is unknown; give a name such as Europe/London.",
        ),
        ({"currency": "pounds"}, "--currency 'pounds' is no ISO code such as GBP or EUR."),
        (
            {"date_format": "%d/%m/%Y %H"},
            "--date-format '%d/%m/%Y %H' is no form of a date, such as '%d/%m/%Y %H:%M'.",
        ),
        ({"decimal": "'"}, '--decimal "\'" must be . or , as in 1.50 or 1,50.'),
        ({"delimiter": ";;"}, "--delimiter ';;' must be one character, such as , or ;."),
        (
            {"encoding": "utf-16"},
            "--encoding 'utf-16' cannot be read; use utf-8, cp1252 or latin-1, or save the file as UTF-8.",
        ),
    ],
)
def test_an_impossible_option_is_named(
    sales: Sales, agents_root: Path, option: dict[str, str], message: str
) -> None:
    assert refusal(sales({}), agents_root, **option) == message


def test_a_product_pattern_that_is_no_expression_is_named(sales: Sales, agents_root: Path) -> None:
    message = refusal(sales({}), agents_root, product_pattern="[0-9")
    assert message.startswith("--product-pattern '[0-9' is no regular expression: ")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("product", "--map 'product' is not of the form field=Column, e.g. product=StockCode."),
        (
            "sku=StockCode",
            "--map 'sku=StockCode': there is no field 'sku'; the fields are customer, product, quantity, at, "
            "price, invoice, description, category, customer_name, country.",
        ),
    ],
)
def test_a_bad_pair_of_the_map_is_named(pair: str, message: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        parse_map([pair])
    assert str(refused.value) == message


def test_a_full_disk_while_spilling_names_the_folder(
    sales: Sales, agents_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)

    message = refusal(sales({}), agents_root)

    assert message.startswith(f"Temporary files cannot be written to {agents_root / 'imports'}")
    assert message.endswith(
        ": the disk is full. Make room there, or name another folder with --work-folder. "
        "Nothing was imported."
    )


def test_a_work_folder_that_cannot_be_made_is_named(sales: Sales, tmp_path: Path) -> None:
    path = sales({})
    with pytest.raises(ImportRefused, match="Temporary files cannot be written to"):
        import_transactions(path, work_folder=path / "below-a-file")
    assert Interaction.objects.count() == 0


def test_a_gzip_under_a_plain_name_is_read(sales: Sales) -> None:
    path = sales({})
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert import_transactions(path).purchases == 1


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_of_the_database_stores_nothing(sales: Sales, agents_root: Path) -> None:
    if connection.vendor != "sqlite":
        return  # only SQLite lets a connection bound its own file
    path = sales(*({"invoice": str(number), "customer": str(number)} for number in range(3000)))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # pages that earlier tests freed would be room
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages + 10}")
    try:
        message = refusal(path, agents_root)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1073741823")
    assert message == (
        "The database's disk is full (database or disk is full). "
        "Make room and import again; nothing was stored."
    )
