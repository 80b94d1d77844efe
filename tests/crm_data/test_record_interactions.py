"""Interactions sent in bulk: all or none, each bad value named, a second delivery recognised."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm_data.models import Customer, Interaction, Product
from crm_data.services.interactions import InteractionsRejected, SourceIsReadOnly, record_interactions
from crm_data.source import Source

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KEY = "6a1f5d5e-3f0e-4a8e-9a65-0c5b1f6f0001"
FIELDS = "customer, kind, at, product, quantity, amount, currency, basket, channel, text, key"


class ForeignSource(Source):
    """A host's Source that is not the built-in one."""


@pytest.fixture(autouse=True)
def shop(rep: "User", other_rep: "User") -> None:
    Customer.objects.create(code="mine", name="Ann", owner=rep)
    Customer.objects.create(code="theirs", name="Bob", owner=other_rep)
    Product.objects.create(code="P1", name="Heart")


def row(**changes: Any) -> dict[str, Any]:
    return {"customer": "mine", "kind": "purchase", "at": "2026-03-31T14:05:00+01:00", **changes}


def errors(user: "User", *rows: Any) -> list[tuple[int, str, Any, str]]:
    """Return the errors, having seen that nothing was stored."""
    with pytest.raises(InteractionsRejected) as rejected:
        record_interactions(user, list(rows))
    assert Interaction.objects.count() == 0
    return [
        (error["index"], error["field"], error["value"], error["message"]) for error in rejected.value.errors
    ]


def test_a_full_row_is_stored(rep: "User") -> None:
    sent = row(
        product="P1",
        quantity=2,
        amount=5.1,
        currency="GBP",
        basket="B1",
        channel="shop",
        text=" Hello\n",
        key=KEY,
    )

    assert record_interactions(rep, [sent]) == 1

    stored = Interaction.objects.select_related("customer", "product").get()
    assert (stored.customer.code, stored.product and stored.product.code, stored.kind) == (
        "mine",
        "P1",
        "purchase",
    )
    assert stored.at.isoformat() == "2026-03-31T13:05:00+00:00"
    assert (stored.quantity, stored.amount, stored.currency) == (2.0, Decimal("5.10"), "GBP")
    assert (stored.basket, stored.channel, stored.text, stored.key) == ("B1", "shop", " Hello\n", UUID(KEY))


def test_a_row_needs_customer_kind_and_time_only(rep: "User") -> None:
    assert record_interactions(rep, [row(kind="Email"), row(kind="e-mail", product=None, text="")]) == 2
    assert sorted(Interaction.objects.values_list("kind", flat=True)) == ["e-mail", "email"]


def test_no_rows_are_no_error(rep: "User") -> None:
    assert record_interactions(rep, []) == 0


def test_a_foreign_customer_is_as_unknown_as_an_absent_one(rep: "User") -> None:
    assert errors(rep, row(), row(customer="theirs"), row(customer="nobody")) == [
        (1, "customer", "theirs", "There is no such customer."),
        (2, "customer", "nobody", "There is no such customer."),
    ]


def test_a_manager_writes_for_every_customer(manager: "User") -> None:
    assert record_interactions(manager, [row(), row(customer="theirs")]) == 2


def test_every_bad_value_of_every_row_is_named(rep: "User") -> None:
    assert errors(rep, row(kind="two words", quantity="2"), row(), row(at="2026-03-31T14:05:00")) == [
        (0, "kind", "two words", "Give one word of at most 32 letters, e.g. purchase, return, email, call."),
        (0, "quantity", "2", "Give a number without quotes."),
        (
            2,
            "at",
            "2026-03-31T14:05:00",
            "Give an ISO 8601 time with its offset, e.g. 2026-03-31T14:05:00+01:00.",
        ),
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("customer", "", "This field is required."),
        ("customer", 17, "Give a text in quotes."),
        ("kind", None, "This field is required."),
        (
            "at",
            "2026-13-31T14:05:00Z",
            "Give an ISO 8601 time with its offset, e.g. 2026-03-31T14:05:00+01:00.",
        ),
        ("at", 1, "Give an ISO 8601 time with its offset, e.g. 2026-03-31T14:05:00+01:00."),
        ("at", "0001-01-01T00:00:00+14:00", "The time lies before the year 1900."),
        ("product", "P2", "There is no such product; add it first."),
        ("quantity", True, "Give a number without quotes."),
        ("quantity", -1, "Give it without a minus; what comes back is of kind return."),
        ("amount", 1e12, "Give a finite number below 10^12."),
        ("amount", 10**400, "Give a finite number below 10^12."),
        ("currency", "£", "Give an ISO 4217 code such as GBP."),
        (
            "currency",
            "USD",
            "An amount is in USD, but BuiltInSource keeps its amounts in GBP and names no rate for USD. "
            'Add it: rates = {"USD": <GBP for one USD>}.',
        ),
        ("basket", "x" * 65, "At most 64 characters."),
        ("text", "a\0b", "Remove the NUL byte."),
        ("text", "a\ud800b", "Remove the lone surrogate; send UTF-8."),
        ("key", "one", "Give a UUID."),
        ("colour", "red", f"Unknown field; the fields are {FIELDS}."),
    ],
)
def test_a_bad_value_is_refused_with_its_remedy(rep: "User", field: str, value: Any, message: str) -> None:
    assert errors(rep, row(**{field: value})) == [(0, field, value, message)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(rep: "User", value: float) -> None:
    found = errors(rep, row(quantity=value))
    assert [(name, message) for _, name, _, message in found] == [
        ("quantity", "Give a finite number below 10^12.")
    ]


def test_an_interaction_has_happened_already(rep: "User") -> None:
    later = (timezone.now() + timedelta(minutes=1)).isoformat()
    assert errors(rep, row(at=later)) == [
        (0, "at", later, "The time lies in the future; an interaction has happened already.")
    ]


def test_a_row_that_is_no_object_is_refused(rep: "User") -> None:
    assert errors(rep, "row") == [(0, "", "row", f"A row must be an object with the fields {FIELDS}.")]


def test_a_key_given_twice_in_one_request_is_refused(rep: "User") -> None:
    assert errors(rep, row(key=KEY), row(), row(key=KEY)) == [
        (2, "key", KEY, "Row 0 has the same key; give every row its own.")
    ]


def test_a_second_delivery_is_not_stored_again(rep: "User") -> None:
    assert record_interactions(rep, [row(key=KEY, amount=2.5)]) == 1
    assert record_interactions(rep, [row(key=KEY, amount=2.5), row()]) == 1
    assert Interaction.objects.count() == 2


def test_a_known_key_for_another_row_is_refused(rep: "User") -> None:
    record_interactions(rep, [row(key=KEY, amount=2.5)])

    with pytest.raises(InteractionsRejected) as rejected:
        record_interactions(rep, [row(), row(key=KEY, amount=3)])

    assert rejected.value.errors == [
        {
            "index": 1,
            "field": "key",
            "value": KEY,
            "message": "This key names another interaction already; give a new one its own key.",
        }
    ]
    assert Interaction.objects.count() == 1


def test_a_host_s_own_tables_are_not_written(rep: "User", settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": f"{__name__}.ForeignSource"}
    with pytest.raises(SourceIsReadOnly, match="enter them there"):
        record_interactions(rep, [row()])
    assert Interaction.objects.count() == 0
