"""Each mistake in a Source is named by its id, with the fix in the hint."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db.models import F, Min, Q, Value
from django.db.models.functions import Coalesce, NullIf

from crm_data.checks import check, check_source
from crm_data.source import Customers, Interactions, Many, Products, Source


def a_source(**values: Any) -> Source:
    """Return a sound Source over the built-in tables, with `values` put in their places."""
    sound = {
        "currency": "GBP",
        "timezone": "UTC",
        "customers": Customers("crm_data.Customer", key="code", name="name", owner="owner"),
        "products": Products("crm_data.Product", key="code", name="name"),
        "interactions": [interactions()],
    }
    source: Source = type("CRM", (Source,), {**sound, **values})()
    return source


def interactions(**values: Any) -> Interactions:
    sound = {"kind": "purchase", "customer": "customer", "product": "product", "at": "at", "amount": "amount"}
    return Interactions("crm_data.Interaction", **{**sound, **values})


def customers(**values: Any) -> Customers:
    return Customers(**{"model": "crm_data.Customer", "name": "name", **values})


def found(source: Source) -> list[tuple[str | None, str, str | None]]:
    return [(problem.id, problem.msg, problem.hint) for problem in check(source)]


def only(source: Source) -> tuple[str | None, str, str | None]:
    [problem] = found(source)
    return problem


def test_a_sound_source_has_nothing_to_say() -> None:
    assert found(a_source()) == []


def test_the_built_in_source_is_sound_and_the_project_has_no_other_fault() -> None:
    assert check_source() == []
    assert [problem for problem in run_checks() if problem.level >= 30] == []


def test_a_path_that_cannot_be_imported(settings: Any) -> None:
    settings.CRM_AGENTS = {"SOURCE": "nowhere.to.be.Found"}
    [problem] = check_source()
    assert problem.id == "crm_data.E001"
    assert problem.msg == (
        "CRM_AGENTS[\"SOURCE\"] is 'nowhere.to.be.Found', which cannot be loaded: No module named 'nowhere'"
    )
    assert problem.hint == 'Give the dotted path of a class: "project.crm_source.CRM".'


def test_a_source_without_customers() -> None:
    assert [problem.id for problem in check(Source())] == ["crm_data.E002"]


@pytest.mark.parametrize("label", ["crm.Company", "crm_data.Company", "Company"])
def test_an_unknown_model(label: str) -> None:
    number, message, hint = only(a_source(customers=customers(model=label), interactions=[]))
    assert number == "crm_data.E003"
    assert message.startswith(f"CRM.customers names the model '{label}': ")
    assert hint == (
        "Write app_label.ModelName of an installed app; `manage.py crm_source suggest` lists candidates."
    )


def test_a_missing_field_with_a_near_one() -> None:
    assert only(a_source(customers=customers(name="nam"))) == (
        "crm_data.E004",
        "CRM.customers.name: crm_data.Customer has no field 'nam' (in the path 'nam').",
        "Did you mean 'name'?",
    )


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        ("amount", "customer__owner__grop", "auth.User has no field 'grop'"),
        ("quantity", F("qty") * 2, "crm_data.Interaction has no field 'qty'"),
        ("text", Coalesce(NullIf("txt", Value("")), "channel"), "crm_data.Interaction has no field 'txt'"),
        ("where", Q(kind="x") | ~Q(product__nme="y"), "crm_data.Product has no field 'nme'"),
        ("changed", "changed", "crm_data.Interaction has no field 'changed'"),
        ("kind", F("type"), "crm_data.Interaction has no field 'type'"),
    ],
)
def test_a_bad_path_anywhere_in_an_expression(place: str, value: Any, path: str) -> None:
    number, message, _hint = only(a_source(interactions=[interactions(**{place: value})]))
    assert number == "crm_data.E004"
    assert message.startswith(f"CRM.interactions[0].{place}: {path} (in the path ")


def test_a_path_that_would_multiply_rows() -> None:
    assert only(a_source(customers=customers(attributes=["interactions__kind"]))) == (
        "crm_data.E005",
        "CRM.customers.attributes: the path 'interactions__kind' leads from one crm_data.Customer to many "
        "rows and would multiply them.",
        'As an attribute of customers, write Many("interactions__kind"); for a name or a price, one of them: '
        'Min("interactions__kind"). For interactions, name the model at the many end and start there.',
    )


def test_many_and_an_aggregate_are_ways_through_a_to_many_path() -> None:
    assert found(a_source(customers=customers(attributes=[Many("interactions__kind")]))) == []
    priced = Products("crm_data.Product", name="name", price=Min("interactions__amount"))
    assert found(a_source(products=priced)) == []


def test_an_aggregate_in_interactions_would_still_multiply() -> None:
    number, _message, _hint = only(
        a_source(interactions=[interactions(amount=Min("customer__interactions__amount"))])
    )
    assert number == "crm_data.E005"


def test_a_key_that_is_not_unique() -> None:
    assert only(a_source(customers=customers(key="email"))) == (
        "crm_data.E006",
        "CRM.customers.key: 'email' of crm_data.Customer is not unique, so two of them "
        "would be taken for one.",
        'Name a field with unique=True, or leave key at its default "pk".',
    )


def test_an_owner_that_is_no_user() -> None:
    number, message, _hint = only(a_source(customers=customers(owner="interactions")))
    assert (number, message) == (
        "crm_data.E007",
        "CRM.customers.owner: 'interactions' does not lead to auth.User, so nobody would own a customer.",
    )


def test_a_customer_path_that_leads_elsewhere() -> None:
    assert only(a_source(interactions=[interactions(customer="customer__code")])) == (
        "crm_data.E008",
        "CRM.interactions[0].customer: 'customer__code' does not lead to crm_data.Customer.",
        "Name the foreign key itself, not one of its fields: the key ('code') is appended.",
    )


def test_products_that_were_not_declared() -> None:
    number, message, _hint = only(a_source(products=None))
    assert number == "crm_data.E008"
    assert message == "CRM.interactions[0].product is 'product', but the Source has no products."


def test_a_time_that_is_no_time() -> None:
    assert only(a_source(interactions=[interactions(at="kind")])) == (
        "crm_data.E009",
        "CRM.interactions[0].at: 'kind' is a CharField, not a date or a time.",
        "Name a DateField or DateTimeField.",
    )


def test_a_date_needs_a_time_zone() -> None:
    source = a_source(timezone="", customers=customers(since="since"))
    assert only(source) == (
        "crm_data.E010",
        "CRM.customers.since: 'since' holds dates and the time zone is left open.",
        'Add the zone in which they were written: timezone = "Europe/London".',
    )


def test_times_need_a_zone_where_the_host_keeps_none(settings: Any) -> None:
    settings.USE_TZ = False
    number, message, _hint = only(a_source(timezone=""))
    assert number == "crm_data.E010"
    assert message == (
        "CRM.interactions[0].at: 'at' holds times without a zone (USE_TZ is off) and the time zone "
        "is left open."
    )


def test_amounts_need_a_currency() -> None:
    assert only(a_source(currency="")) == (
        "crm_data.E011",
        "CRM reads amounts and leaves their currency open.",
        'Add the ISO code: currency = "GBP".',
    )
    assert found(a_source(currency="", interactions=[interactions(amount=None)])) == []


def test_a_currency_is_an_iso_code() -> None:
    assert only(a_source(currency="£"))[:2] == ("crm_data.E011", "CRM.currency is '£', which is no ISO code.")


@pytest.mark.parametrize("rate", [0, -1.5, "2"])
def test_a_rate_is_a_positive_number(rate: Any) -> None:
    assert only(a_source(rates={"USD": rate})) == (
        "crm_data.E012",
        f"CRM.rates['USD'] is {rate!r}.",
        "Write how many GBP one USD is worth, as a number above 0.",
    )


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("London", "Did you mean Europe/London?"),
        ("GMT+25", 'Write one such as "Europe/London" or "UTC".'),
        ("../etc", 'Write one such as "Europe/London" or "UTC".'),
    ],
)
def test_an_unknown_zone(zone: str, hint: str) -> None:
    assert only(a_source(timezone=zone)) == (
        "crm_data.E013",
        f"CRM.timezone is {zone!r}, which is no time zone known here.",
        hint,
    )


def test_hosts_with_other_keys_are_sound(shapes: None) -> None:
    from tests.hosts.shapes import sources

    assert {name: found(getattr(sources, name)()) for name in ("Firms", "Members", "People")} == {
        "Firms": [],
        "Members": [],
        "People": [],
    }
