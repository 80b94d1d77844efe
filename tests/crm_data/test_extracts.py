"""What is known of one customer: the very rows that a snapshot built at that moment has."""

import datetime as dt
from typing import Any

import polars as pl
import pytest
from django.utils import timezone

from crm_agents.models import Feedback
from crm_agents.services.agents import get_agent
from crm_data.models import Customer, Interaction, Product
from crm_data.selectors import snapshot_folder
from crm_data.services.extracts import known_of
from crm_data.services.snapshots import build_snapshot
from handoff.dataset import CUSTOMERS, EVENTS, LABELS, Dataset, shard_of

NOON = dt.datetime(2024, 3, 5, 12, 30, 1, 250_000, tzinfo=dt.UTC)


@pytest.fixture
def shop(db: None) -> None:
    tea = Product.objects.create(code="TEA", name="Tea", category="Drinks", price="2.50")
    for code in ("a", "b", "ü 1"):
        attributes = {"size": 3, "tags": ["x", "y"], "none": None}
        customer = Customer.objects.create(code=code, name=code, country="France", attributes=attributes)
        for number in range(3):
            Interaction.objects.create(
                customer=customer,
                product=tea if number else None,
                kind="purchase" if number else "email",
                at=NOON + dt.timedelta(days=number),
                quantity=2,
                amount="5.25" if number else None,
                basket=f"{code}-{number}" if number == 1 else "",
                text="=1+1\n„ä“" if not number else "",
            )
    agent = get_agent("recommender")
    for code in ("a", "b"):
        Feedback.objects.create(agent=agent, customer_id=code, item="TEA", verdict="wrong", at=NOON)
    future = Customer.objects.get(code="a")
    Interaction.objects.create(customer=future, kind="visit", at=timezone.now() + dt.timedelta(days=1))


@pytest.mark.parametrize("code", ["a", "b", "ü 1"])
def test_the_rows_are_those_of_a_snapshot(shop: None, code: str) -> None:
    dataset = Dataset.open(snapshot_folder(build_snapshot()))
    mine = pl.col("customer") == code
    known = known_of(code)
    assert known is not None
    events = dataset.events(shard_of(code, dataset.manifest.shards)).filter(mine).collect()
    assert known.events.schema == EVENTS
    assert known.events.sort(EVENTS.names()).equals(events.sort(EVENTS.names()))
    assert len(events) == 3
    assert known.people.schema == CUSTOMERS
    assert known.people.equals(dataset.customers().filter(mine).collect())
    assert known.labels.schema == LABELS
    assert known.labels.equals(dataset.labels().filter(mine).collect())
    assert len(known.labels) == (0 if code == "ü 1" else 1)


@pytest.mark.parametrize("code", ["nobody", "", "a\0b", "x" * 3000])
def test_of_a_customer_the_crm_does_not_have_nothing_is_known(shop: None, code: str) -> None:
    assert known_of(code) is None


def test_a_customer_without_events_is_known_all_the_same(shop: None) -> None:
    Customer.objects.create(code="new", name="New")
    known = known_of("new")
    assert known is not None
    assert (len(known.events), len(known.people), len(known.labels)) == (0, 1, 0)


def test_it_costs_few_queries(shop: None, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(6):
        known_of("a")
