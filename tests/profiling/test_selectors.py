from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_data.models import Customer, Interaction, Product
from profiling.selectors import Favourite, Traits, customer_traits
from tests.published import publish

pytestmark = pytest.mark.django_db

NOW = datetime(2011, 12, 9, 12, tzinfo=UTC)


@pytest.fixture
def customer() -> Customer:
    return Customer.objects.create(code="17850", name="Corner Shop")


def day(month: int, number: int, year: int = 2011) -> datetime:
    return datetime(year, month, number, 10, tzinfo=UTC)


def record(customer: Customer, kind: str, at: datetime, **values: Any) -> None:
    Interaction.objects.create(customer=customer, kind=kind, at=at, **{"currency": "GBP", **values})


@pytest.fixture
def history(customer: Customer) -> Customer:
    lights = Product.objects.create(code="85048", name="Lights", category="Christmas")
    stand = Product.objects.create(code="22423", name="Cake stand", category="Kitchen")
    cases = Product.objects.create(code="21212", name="Cake cases", category="Kitchen")
    for product, amount in ((lights, "30"), (stand, "20.50")):
        record(customer, "purchase", day(6, 1, 2010), product=product, amount=amount, basket="1")
    for product, amount in ((stand, "10"), (cases, "5")):
        record(customer, "purchase", day(9, 1), product=product, amount=amount, basket="2")
    record(customer, "purchase", day(10, 1), product=stand, amount="34.50", basket="3")
    record(customer, "purchase", day(11, 1), product=lights, amount="20", basket="")
    record(customer, "return", day(11, 5), product=lights, amount="-20", basket="C4")
    record(customer, "question", day(11, 6), text="Where is my parcel?")
    return customer


def test_traits_are_counted_from_the_customers_own_events(history: Customer) -> None:
    assert customer_traits("17850", as_of=NOW) == Traits(
        as_of=NOW,
        currency="GBP",
        orders=4,
        orders_last_year=3,
        first_purchase=day(6, 1, 2010),
        last_purchase=day(11, 1),
        recency_days=38,
        usual_gap_days=31,  # the median of 457, 30 and 31
        spent=120.0,
        spent_last_year=69.5,
        average_basket=30.0,
        returns=1,
        returned=20.0,
        products=3,
        favourite_categories=(Favourite("Kitchen", 3), Favourite("Christmas", 2)),
        favourite_products=(Favourite("Cake stand", 3), Favourite("Lights", 2), Favourite("Cake cases", 1)),
        interactions={"purchase": 6, "question": 1, "return": 1},
    )


def test_json_has_iso_times_and_plain_values(history: Customer) -> None:
    found = customer_traits("17850", as_of=NOW).as_json()
    assert found["first_purchase"] == "2010-06-01T10:00:00+00:00"
    assert found["as_of"] == "2011-12-09T12:00:00+00:00"
    assert list(found["favourite_categories"]) == [
        {"name": "Kitchen", "orders": 3},
        {"name": "Christmas", "orders": 2},
    ]


def test_a_customer_without_purchases_has_empty_traits(customer: Customer) -> None:
    record(customer, "email", day(11, 1), text="Hello")
    found = customer_traits("17850", as_of=NOW)
    assert (found.orders, found.first_purchase, found.last_purchase) == (0, None, None)
    assert (found.recency_days, found.usual_gap_days) == (None, None)
    assert (found.spent, found.average_basket, found.returned) == (None, None, None)
    assert (found.favourite_categories, found.favourite_products) == ((), ())
    assert found.interactions == {"email": 1}


def test_later_events_are_not_counted(history: Customer) -> None:
    found = customer_traits("17850", as_of=day(9, 15))
    assert (found.orders, found.last_purchase, found.returns) == (2, day(9, 1), 0)


def test_two_days_of_purchase_make_no_rhythm(customer: Customer) -> None:
    for at in (day(10, 1), day(11, 1)):
        record(customer, "purchase", at, amount=Decimal(1))
    assert customer_traits("17850", as_of=NOW).usual_gap_days is None


def test_money_is_unknown_where_the_crm_keeps_no_amounts(customer: Customer) -> None:
    record(customer, "purchase", day(11, 1), basket="1")
    found = customer_traits("17850", as_of=NOW)
    assert (found.orders, found.spent, found.spent_last_year, found.average_basket) == (1, None, None, None)


def test_a_year_without_purchases_cost_nothing(customer: Customer) -> None:
    record(customer, "purchase", day(6, 1, 2010), amount=Decimal(5), basket="1")
    found = customer_traits("17850", as_of=NOW)
    assert (found.spent, found.spent_last_year, found.orders_last_year) == (5.0, 0.0, 0)


def test_the_day_of_the_live_scores_is_the_day_of_the_profile(history: Customer) -> None:
    publish("churn", {}, as_of=NOW)
    assert customer_traits("17850").as_of == NOW


def test_a_purchase_after_the_live_scores_moves_the_day(history: Customer) -> None:
    publish("churn", {}, as_of=day(10, 15))
    found = customer_traits("17850")
    assert (found.as_of, found.recency_days) == (day(11, 6), 5)


def test_without_live_scores_the_profile_speaks_of_now(history: Customer) -> None:
    before = timezone.now()
    assert before <= customer_traits("17850").as_of <= timezone.now()


def test_lines_of_a_busy_account_are_added_up_without_their_texts(customer: Customer) -> None:
    lights = Product.objects.create(code="85048", name="Lights", category="Christmas")
    for number in range(90):
        record(
            customer, "purchase", day(11, 1), product=lights, amount=1, basket=str(number % 3), text="long"
        )
    with CaptureQueriesContext(connection) as queries:
        found = customer_traits("17850", as_of=NOW)

    assert (found.orders, found.spent, found.interactions) == (3, 90.0, {"purchase": 90})
    assert found.favourite_products == (Favourite("Lights", 3),)
    assert not [query for query in queries if '"text"' in query["sql"]]


def test_the_traits_of_a_stranger_are_empty() -> None:
    assert customer_traits("nobody", as_of=NOW).orders == 0
