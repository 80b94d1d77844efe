"""`manage.py import_transactions`: options, report, progress."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm_data.importing.terminal import ProgressBar
from crm_data.models import Interaction
from tests.crm_data.transactions import Sales


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_the_command_prints_a_table_and_progress_to_standard_error(sales: Sales) -> None:
    out, err = io.StringIO(), io.StringIO()

    call_command("import_transactions", str(sales({}, {})), stdout=out, stderr=err)

    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["rows", "read", "2"]
    assert lines[1].startswith("− exact repetition of a line")
    assert [line.split(",")[0] for line in err.getvalue().splitlines()] == [
        "reading 100%",
        "sorting 100%",
        "storing 100%",
    ]


@pytest.mark.django_db
def test_the_command_prints_json_alone(sales: Sales) -> None:
    out = io.StringIO()

    call_command("import_transactions", str(sales({})), "--json", stdout=out, stderr=io.StringIO())

    report = json.loads(out.getvalue())
    assert (report["rows_read"], report["purchases"], report["dropped"]) == (1, 1, {})


@pytest.mark.django_db
def test_every_option_reaches_the_import(sales: Sales, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "CURRENCY": "EUR"}
    header = ["bon", "sku", "text", "count", "day", "each", "who", "land"]
    path = sales(
        {"invoice": "R1", "product": "A-1", "quantity": "2", "at": "01/07/2011 09:00"},
        {"invoice": "R1", "product": "A-1", "quantity": "2", "at": "01/07/2011 09:00"},
        {"invoice": "X2", "product": "A-1", "quantity": "1", "at": "02/07/2011 09:00"},
        {"invoice": "R3", "product": "??", "quantity": "1", "at": "02/07/2011 09:00"},
        header=header,
    )
    path.write_bytes(path.read_bytes().replace(b",", b";"))
    arguments = [
        *("--map", "customer=who", "product=sku", "quantity=count", "at=day", "price=each", "invoice=bon"),
        *("--date-format", "%d/%m/%Y %H:%M", "--timezone", "Europe/Paris", "--currency", "EUR"),
        *("--product-pattern", "^A-", "--cancellation-prefix", "X", "--delimiter", ";"),
        *("--encoding", "latin-1", "--keep-repeated", "--drop-broken"),
    ]
    out = io.StringIO()

    call_command("import_transactions", str(path), *arguments, "--json", stdout=out, stderr=io.StringIO())

    report = json.loads(out.getvalue())
    assert (report["purchases"], report["returns"]) == (2, 1)
    assert {name: item["rows"] for name, item in report["dropped"].items()} == {"not_a_product": 1}
    row = Interaction.objects.filter(kind="purchase").first()
    assert row is not None
    assert (row.at.isoformat(), row.currency) == ("2011-07-01T07:00:00+00:00", "EUR")


@pytest.mark.django_db
def test_a_refusal_is_a_command_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv cannot be read: No such file"):
        call_command("import_transactions", str(tmp_path / "none.csv"), stderr=io.StringIO())


def test_the_bar_is_redrawn_on_a_terminal() -> None:
    terminal = Terminal()
    bar = ProgressBar(terminal)

    bar("reading", 1, 2)
    bar("reading", 1, 2)  # too soon after the one before
    bar("reading", 2, 2)
    bar("storing", 5, 5)
    bar.close()

    drawn = terminal.getvalue()
    assert drawn.count("\r") == 3
    assert drawn.count("\n") == 2
    assert f"\rreading   {'█' * 15}{'░' * 15}  50%" in drawn
    assert f"\rstoring   {'█' * 30} 100%" in drawn


@pytest.mark.django_db
def test_online_retail_ii_gives_the_known_counts(sales: Sales) -> None:
    folder = Path(os.environ.get("CRM_DATA_DIR", "no folder named"))
    path = folder / "online_retail_II.csv.gz"
    if not path.exists():
        return  # the file is 15 MB and not part of the project
    out = io.StringIO()

    call_command(
        "import_transactions", str(path), "--keep-repeated", "--json", stdout=out, stderr=io.StringIO()
    )

    report = json.loads(out.getvalue())
    assert (report["rows_read"], report["purchases"], report["returns"]) == (1_067_371, 788_187, 15_817)
    assert (report["customers"], report["products"]) == (5_852, 4_619)
    assert {name: item["rows"] for name, item in report["dropped"].items()} == {
        "overlap": 22_523,
        "no_customer": 235_287,
        "not_a_product": 3_673,
        "unmatched_return": 1_824,
        "zero_price": 60,
    }
