"""`manage.py crm_source`: the dry run of a mapping, and the draft of one."""

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from crm_data import readiness
from crm_data.models import Customer, Interaction, Product
from crm_data.readiness import Requirement

NOON = dt.datetime(2024, 3, 5, 12, tzinfo=dt.UTC)


@pytest.fixture
def one_requirement(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Requirement("churn", customers=1, purchases=2, days=100)]
    monkeypatch.setattr(readiness, "_providers", [lambda: asked])


def run(action: str) -> list[str]:
    out = StringIO()
    call_command("crm_source", action, stdout=out, no_color=True)
    return out.getvalue().splitlines()


def test_the_dry_run_counts_what_a_snapshot_would_hold(db: None, one_requirement: None) -> None:
    customer = Customer.objects.create(code="c1", name="Ann")
    Customer.objects.create(code="c2", name="")
    tea = Product.objects.create(code="TEA", name="Tea")
    for at, basket in (
        (NOON, "b1"),
        (NOON + dt.timedelta(days=99), ""),
        (timezone.now() + dt.timedelta(1), ""),
    ):
        Interaction.objects.create(
            customer=customer, product=tea, kind="purchase", at=at, basket=basket, quantity=1, amount=1
        )
    Interaction.objects.create(customer=customer, kind="call", at=NOON, text="?")
    lines = run("check")
    last = f"{timezone.now() + dt.timedelta(days=1):%Y-%m-%d}"
    assert lines == [
        "customers                2  (1 without a name: shown by their key)",
        "products                 1",
        f"crm_data.Interaction     4  2024-03-05 – {last}",
        "  kinds                  call 1, purchase 3",
        "  empty                  product 25.0%, quantity 25.0%, amount 25.0%, basket 75.0%, channel 100.0%, "
        "text 75.0%",
        "  left out               in the future 1",
        "churn                    not enough data  99 days from the first purchase to the last, "
        "at least 100 are needed.",
        "The Source can be read.",
    ]


def test_the_dry_run_writes_nothing(db: None, agents_root: Any) -> None:
    run("check")
    assert list(agents_root.iterdir()) == []


def test_enough_data_is_said_to_be_enough(db: None, one_requirement: None) -> None:
    customer = Customer.objects.create(code="c1", name="Ann")
    for days in (0, 100):
        Interaction.objects.create(customer=customer, kind="purchase", at=NOON + dt.timedelta(days=days))
    assert "churn                    ready" in run("check")


def test_an_unknown_currency_fails_the_dry_run(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    customer = Customer.objects.create(code="c1", name="Ann")
    Interaction.objects.create(customer=customer, kind="purchase", at=NOON, amount=1, currency="JPY")
    with pytest.raises(CommandError, match=r"^1 errors\. No snapshot can be built yet\.$"):
        run("check")
    assert capsys.readouterr().err == (
        "crm_data.Interaction, 1 rows: An amount is in JPY, but BuiltInSource keeps its amounts in GBP and "
        'names no rate for JPY. Add it: rates = {"JPY": <GBP for one JPY>}.\n'
    )


def test_a_broken_source_fails_with_the_fix(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.CRM_AGENTS = {"SOURCE": "nowhere.Found"}
    with pytest.raises(CommandError, match=r"^1 errors in the Source\.$"):
        run("check")
    assert capsys.readouterr().err == (
        "(crm_data.E001) CRM_AGENTS[\"SOURCE\"] is 'nowhere.Found', which cannot be loaded: "
        "No module named 'nowhere'\n"
        '    remedy: Give the dotted path of a class: "project.crm_source.CRM".\n'
    )


def test_keys_too_long_to_store_are_found(
    shapes: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.PlainPeople"}
    from tests.hosts.shapes.models import Person

    Person.objects.create(slug="x" * 65)
    with pytest.raises(CommandError):
        run("check")
    assert capsys.readouterr().err == (
        "customers: 1 keys are longer than 64 characters; name a shorter unique field.\n"
    )


def test_every_tenant_is_reported(shapes: None, settings: Any, one_requirement: None) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.Members"}
    from tests.hosts.shapes.models import Member, Visit

    Visit.objects.create(
        member=Member.objects.create(number=1, name="Ann", company="north"), day=dt.date(2024, 1, 2)
    )
    lines = run("check")
    assert [line for line in lines if line.startswith(("Tenant", "customers", "shapes.Visit"))] == [
        "Tenant north",
        "customers                1",
        "shapes.Visit             1  2024-01-02 – 2024-01-02",
        "Tenant south",
        "customers                0",
        "shapes.Visit             0",
    ]


def test_a_draft_is_made_of_the_hosts_own_models(shapes: None) -> None:
    assert run("suggest") == [
        "# A draft: the names fit, whether the meaning does is for you to say.",
        "# Then: python manage.py crm_source check",
        "from django.db.models import Value",
        "from django.db.models.functions import Coalesce, NullIf",
        "",
        "from crm_data.source import Customers, Interactions, Products, Source",
        "",
        "",
        "class CRM(Source):",
        '    currency = ""  # of the amounts: an ISO code such as "GBP"',
        '    timezone = "UTC"  # of dates, and of times where USE_TZ is off',
        "    customers = Customers(",
        '        "shapes.Firm",',
        '        name="title",',
        '        owner="owners",',
        '        since="joined",',
        "    )",
        "    products = Products(",
        '        "shapes.Article",',
        '        name=Coalesce(NullIf("title", Value("")), "parent__title"),',
        '        price="price",',
        "    )",
        "    interactions = [",
        "        Interactions(",
        '            "shapes.DealLine",',
        '            kind="purchase",',
        '            customer="deal__firm",',
        '            product="article",',
        '            at="deal__closed",',
        '            quantity="quantity",',
        '            amount="total",',
        '            currency="currency",',
        '            basket="deal",',
        "        ),",
        "    ]",
    ]


def test_the_draft_is_python_and_passes_the_checks_once_the_currency_is_said(shapes: None) -> None:
    from crm_data.checks import check

    names: dict[str, Any] = {}
    exec("\n".join(run("suggest")), names)  # noqa: S102  our own draft
    source = names["CRM"]()
    source.currency = "EUR"
    assert check(source) == []
