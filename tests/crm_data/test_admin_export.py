"""Export of lists: ticked rows or all that the filters leave, as CSV and as XLSX, without formulas."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.utils.safestring import mark_safe
from openpyxl import load_workbook

from crm_data.admin import export
from crm_data.admin.export import ExportMixin, as_text, guarded
from crm_data.models import Customer, Interaction

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CUSTOMERS = "/admin/crm_data/customer/"
HEADER = ["code", "name", "e-mail", "sales rep username", "customer since", "country", "attributes"]


@pytest.fixture
def shop(rep: "User", other_rep: "User") -> list[Customer]:
    return [
        Customer.objects.create(code="A1", name="=1+1", owner=rep, country="Malta", attributes={"size": "S"}),
        Customer.objects.create(code="A2", name="安娜", owner=rep),
        Customer.objects.create(code="B1", name="Bob", owner=other_rep),
    ]


def exported(user: "User", kind: str, **form: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(CUSTOMERS, {"action": f"export_{kind}", **form})


def csv_rows(response: Any) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_ticked_rows_are_exported_as_csv(rep: "User", shop: list[Customer]) -> None:
    response = exported(rep, "csv", _selected_action=[shop[0].pk])

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="customer-2')
    assert csv_rows(response) == [HEADER, ["A1", "'=1+1", "", "rep", "", "Malta", '{"size": "S"}']]


def test_all_that_the_list_holds_is_exported_and_nothing_foreign(rep: "User", shop: list[Customer]) -> None:
    response = exported(rep, "csv", _selected_action=[shop[0].pk], select_across="1")

    assert [row[:2] for row in csv_rows(response)[1:]] == [["A1", "'=1+1"], ["A2", "安娜"]]


def test_a_foreign_row_is_not_exported_even_when_ticked(rep: "User", shop: list[Customer]) -> None:
    assert csv_rows(exported(rep, "csv", _selected_action=[shop[2].pk])) == [HEADER]


def test_rows_are_exported_as_xlsx_with_texts_that_stay_texts(rep: "User", shop: list[Customer]) -> None:
    Customer.objects.filter(code="A2").update(name="bell\x07")
    response = exported(rep, "xlsx", _selected_action=[customer.pk for customer in shop])

    assert response["Content-Type"] == export.XLSX_TYPE
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    assert sheet is not None
    assert sheet.title == "customers"
    assert [cell.value for cell in sheet[1]] == HEADER
    assert [[cell.value for cell in row[:2]] for row in sheet.iter_rows(min_row=2)] == [
        ["A1", "=1+1"],
        ["A2", "bell"],
    ]
    assert sheet["B2"].data_type == "s"


def test_a_list_too_long_for_a_workbook_says_so(
    rep: "User", shop: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "XLSX_ROWS", 1)
    client = Client()
    client.force_login(rep)
    form = {"action": "export_xlsx", "_selected_action": [customer.pk for customer in shop]}

    page = client.post(CUSTOMERS, form, follow=True).content.decode()

    assert "A workbook takes at most 1 rows. Filter the list, or export as CSV." in page


def test_who_may_not_see_the_list_gets_no_export(rep: "User", shop: list[Customer]) -> None:
    rep.groups.clear()
    assert exported(rep, "csv", _selected_action=[shop[0].pk]).status_code == 403


class KindAdmin(ExportMixin):
    list_display = ("kind", "customer", "loud")

    @admin.display(description="Loud")
    def loud(self, row: Interaction) -> str:
        return mark_safe(f"<b>{row.kind.upper()}</b>")  # noqa: S308  what a column of a list may return


def test_without_named_fields_the_columns_of_the_list_are_exported(rep: "User", shop: list[Customer]) -> None:
    Interaction.objects.create(customer=shop[2], kind="call", at=datetime(2026, 1, 1, tzinfo=UTC))
    request = RequestFactory().get("/")
    request.user = rep

    response = KindAdmin(Interaction, admin.site).export_csv(request, Interaction.objects.all())

    assert csv_rows(response) == [["kind", "customer", "Loud"], ["call", "Bob", "CALL"]]


def test_a_million_rows_would_not_be_held(
    rep: "User", shop: list[Customer], django_assert_num_queries: Any
) -> None:
    request = RequestFactory().get("/")
    request.user = rep
    with django_assert_num_queries(0):
        response = KindAdmin(Interaction, admin.site).export_csv(request, Interaction.objects.all())
    assert response.streaming


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, True),
        (Decimal("-2.50"), Decimal("-2.50")),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), "2026-01-01T12:00:00+00:00"),
        (["a", "ü"], '["a", "ü"]'),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ("a=1", "a=1"),
        (float("nan"), "nan"),
        (mark_safe("<b>Fish &amp; Chips</b>"), "Fish & Chips"),
    ],
)
def test_values_are_shown_plainly_and_never_run(value: Any, shown: Any) -> None:
    assert guarded(as_text(value)) == shown
