"""The demo fills an empty database, goes on with its own, and leaves everybody else's alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from crm_data.models import Customer
from crm_demo.demo import staging
from crm_demo.demo.options import DemoOptions, DemoRefused
from crm_demo.demo.staging import stage

pytestmark = pytest.mark.django_db

SMALL = DemoOptions(customers=20)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def var(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the marker in a folder of the test, and leave tables and static files as they are."""
    settings.VAR = tmp_path

    def call(name: str, *args: Any, **options: Any) -> Any:
        return None if name in ("migrate", "collectstatic") else call_command(name, *args, **options)

    monkeypatch.setattr(staging, "call_command", call)
    return tmp_path


def test_an_empty_database_is_filled_and_its_people_can_log_in(var: Path, said: list[str]) -> None:
    logins = stage(SMALL, say=said.append)
    assert Customer.objects.count() == 20
    assert [(login.role, login.username) for login in logins] == [
        ("manager", "manager"),
        ("sales rep", "anna"),
        ("sales rep", "wei"),
    ]
    for login in logins:
        assert User.objects.get(username=login.username).check_password(login.password)
    assert Customer.objects.filter(owner__username="anna").count() == 10
    assert json.loads((var / "demo.json").read_text())["data"]["customers"] == 20
    assert said == ["Simulating two years of a shop with 20 customers …"]


def test_the_same_demo_goes_on_where_it_was(said: list[str]) -> None:
    first = stage(SMALL, say=said.append)
    second = stage(SMALL, say=said.append)
    assert Customer.objects.count() == 20
    assert said[-1] == "The data of the last demo are still here; add FRESH=1 to begin anew."
    assert first[0].password != second[0].password


def test_other_data_than_asked_for_are_refused(said: list[str]) -> None:
    stage(SMALL, say=said.append)
    with pytest.raises(DemoRefused, match="Add FRESH=1 to throw the old demo away"):
        stage(DemoOptions(customers=30), say=said.append)
    assert Customer.objects.count() == 20


def test_a_database_that_no_demo_filled_is_left_alone(said: list[str]) -> None:
    Customer.objects.create(code="1", name="Somebody's own")
    for fresh in (False, True):
        with pytest.raises(DemoRefused, match="holds customers that no demo made"):
            stage(DemoOptions(customers=20, fresh=fresh), say=said.append)
    assert Customer.objects.get().name == "Somebody's own"
    assert not User.objects.exists()


def test_a_file_is_imported_and_its_customers_are_dealt_out(tmp_path: Path, said: list[str]) -> None:
    file = tmp_path / "sales.csv"
    header = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    lines = [f"48943{n},85048,LIGHTS,1,2009-12-0{n} 07:45:00,6.95,1308{n},France" for n in range(1, 7)]
    file.write_text("\n".join([header, *lines]) + "\n")
    stage(DemoOptions(data=file), say=said.append)
    assert Customer.objects.count() == 6
    assert Customer.objects.filter(owner__username="anna").count() == 3
    assert Customer.objects.filter(owner__username="wei").count() == 3
