"""What is read of customers, products and events, whatever the host's keys look like."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from crm_data import selectors
from crm_data.models import Customer, Interaction, Product
from crm_data.selectors import CustomerNotFound, CustomerRecord, EventRecord, ProductRecord, VisitRecord

FIRM = uuid.UUID("00000000-0000-4000-8000-00000000000a")
PARIS_NOON = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)


def use(settings: Any, source: str) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": f"tests.hosts.shapes.sources.{source}"}


@pytest.fixture
def firms(shapes: None, settings: Any) -> Any:
    use(settings, "Firms")
    from tests.hosts.shapes import models

    return models


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", is_staff=True)


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", is_staff=True)


def make_firm(firms: Any, *owners: User, **values: Any) -> Any:
    firm = firms.Firm.objects.create(**{"id": FIRM, "title": "Acme", "joined": dt.date(2020, 7, 1), **values})
    firm.owners.set(owners)
    return firm


def test_a_firm_is_read_with_its_lists_and_its_date_in_the_sources_zone(
    firms: Any, ada: User, bob: User
) -> None:
    firm = make_firm(firms, ada, bob)
    firm.tags.set([firms.Tag.objects.create(word=word) for word in ("wholesale", "export")])
    assert selectors.get_customer(ada, str(FIRM)) == CustomerRecord(
        tenant="",
        id="00000000-0000-4000-8000-00000000000a",
        name="Acme",
        email="",
        since=dt.datetime(2020, 6, 30, 22, tzinfo=dt.UTC),
        owners=("ada", "bob"),
        attributes={"active": True, "tags__word": ["export", "wholesale"]},
    )


def test_two_owners_and_three_tags_still_make_one_row(firms: Any, ada: User, bob: User) -> None:
    firm = make_firm(firms, ada, bob)
    firm.tags.set([firms.Tag.objects.create(word=word) for word in "abc"])
    visible = selectors.visible_customers(ada).values_list("crm_id", "crm_name")
    assert list(visible) == [(str(FIRM), "Acme")]


def test_a_foreign_customer_and_an_absent_one_are_not_told_apart(firms: Any, ada: User, bob: User) -> None:
    make_firm(firms, bob)
    with pytest.raises(CustomerNotFound) as foreign:
        selectors.get_customer(ada, str(FIRM))
    with pytest.raises(CustomerNotFound) as absent:
        selectors.get_customer(ada, "00000000-0000-4000-8000-00000000000b")
    assert str(foreign.value) == f"There is no customer '{FIRM}'."
    assert str(absent.value) == "There is no customer '00000000-0000-4000-8000-00000000000b'."


def test_a_uuid_without_its_hyphens_is_not_the_customers_id(firms: Any, ada: User) -> None:
    make_firm(firms, ada)
    with pytest.raises(CustomerNotFound):
        selectors.get_customer(ada, FIRM.hex)


def test_a_firm_that_the_source_leaves_out_is_not_found(firms: Any, ada: User) -> None:
    make_firm(firms, ada, active=False)
    with pytest.raises(CustomerNotFound):
        selectors.get_customer(ada, str(FIRM))


def test_a_variant_without_a_title_takes_its_parents(firms: Any) -> None:
    parent = firms.Article.objects.create(sku="TEA", title="Tea", price=2.5)
    firms.Article.objects.create(sku="TEA-L", parent=parent, price=4.0)
    firms.Article.objects.create(sku="ODD")
    assert selectors.product_records(["TEA-L", "ODD", "NONE"]) == {
        "TEA-L": ProductRecord("TEA-L", "Tea", "", 4.0),
        "ODD": ProductRecord("ODD", "ODD", "", None),
    }


def test_events_are_read_newest_first_in_the_sources_currency(firms: Any, ada: User) -> None:
    firm = make_firm(firms, ada)
    tea = firms.Article.objects.create(sku="TEA", title="Tea")
    deals = [
        firms.Deal.objects.create(firm=firm, closed=PARIS_NOON + dt.timedelta(days=days)) for days in (0, 1)
    ]
    firms.DealLine.objects.create(deal=deals[0], article=tea, quantity=2, total="10.00", currency="USD")
    firms.DealLine.objects.create(deal=deals[1], article=None, total="3.00")
    assert selectors.customer_events(str(FIRM)) == [
        EventRecord(PARIS_NOON + dt.timedelta(days=1), "purchase", str(deals[1].pk), None, 1.0, 3.0, "", ""),
        EventRecord(PARIS_NOON, "purchase", str(deals[0].pk), "TEA", 2.0, 5.0, "", ""),
    ]
    assert [event.amount for event in selectors.customer_events(str(FIRM), limit=1)] == [3.0]


def test_an_amount_in_an_unknown_currency_is_shown_as_unknown(firms: Any, ada: User) -> None:
    deal = firms.Deal.objects.create(firm=make_firm(firms, ada), closed=PARIS_NOON)
    firms.DealLine.objects.create(deal=deal, total="3.00", currency="JPY")
    assert [event.amount for event in selectors.customer_events(str(FIRM))] == [None]


def test_visits_add_up_what_happened_at_one_moment(firms: Any, ada: User) -> None:
    tea = firms.Article.objects.create(sku="TEA", title="Tea")
    deal = firms.Deal.objects.create(firm=make_firm(firms, ada), closed=PARIS_NOON)
    for total, currency in (("10.00", "USD"), ("-4.00", "USD"), ("3.00", ""), ("9.00", "JPY")):
        firms.DealLine.objects.create(deal=deal, article=tea, total=total, currency=currency)
    basket = str(deal.pk)

    found = selectors.customer_visits(str(FIRM))
    assert sorted(found, key=lambda visit: visit.amount or 0.0) == [
        VisitRecord(PARIS_NOON, "purchase", basket, 1, None),
        VisitRecord(PARIS_NOON, "purchase", basket, 1, 3.0),
        VisitRecord(PARIS_NOON, "purchase", basket, 2, 7.0),
    ]
    assert selectors.bought_products(str(FIRM), upto=PARIS_NOON) == [("TEA", basket, None)]
    assert selectors.bought_products(str(FIRM), upto=PARIS_NOON - dt.timedelta(seconds=1)) == []
    assert selectors.bought_products(str(FIRM), upto=timezone.now(), since=PARIS_NOON) == [
        ("TEA", basket, None)
    ]
    after = PARIS_NOON + dt.timedelta(seconds=1)
    assert selectors.bought_products(str(FIRM), upto=timezone.now(), since=after) == []


def test_what_most_customers_bought_comes_first_and_once_for_each_customer(firms: Any, ada: User) -> None:
    tea, cup, pot = (firms.Article.objects.create(sku=sku, title=sku) for sku in ("TEA", "CUP", "POT"))
    for number, articles in enumerate(([tea, tea, tea, pot], [cup], [cup, pot])):
        firm = firms.Firm.objects.create(id=uuid.UUID(int=number + 1), title="Firm")
        deal = firms.Deal.objects.create(firm=firm, closed=PARIS_NOON)
        for article in [*articles, None]:
            firms.DealLine.objects.create(deal=deal, article=article, total="1.00")
    gone = firms.Firm.objects.create(id=uuid.UUID(int=9), title="Left", active=False)
    deal = firms.Deal.objects.create(firm=gone, closed=PARIS_NOON)
    firms.DealLine.objects.create(deal=deal, article=tea, total="1.00")
    before = PARIS_NOON - dt.timedelta(seconds=1)
    found = selectors.popular_products(since=before, upto=PARIS_NOON, limit=5)
    assert found == [("CUP", 2), ("POT", 2), ("TEA", 1)]
    assert selectors.popular_products(since=before, upto=PARIS_NOON, limit=1) == [("CUP", 2)]
    assert selectors.popular_products(since=PARIS_NOON, upto=timezone.now(), limit=5) == []


def test_attributes_of_many_customers_are_read_at_once(
    firms: Any, ada: User, django_assert_num_queries: Any
) -> None:
    firm = make_firm(firms, ada)
    firm.tags.set([firms.Tag.objects.create(word=word) for word in ("wholesale", "export")])
    other = firms.Firm.objects.create(id=uuid.UUID(int=1), title="Other")
    with django_assert_num_queries(2):  # rows, tags
        found = selectors.customer_attributes([str(FIRM), str(other.pk), "nobody"])
    assert found == {
        str(FIRM): {"active": True, "tags__word": ["export", "wholesale"]},
        str(other.pk): {"active": True, "tags__word": []},
    }


def test_what_a_product_costs_and_whether_there_is_any_is_read_where_the_source_says(db: None) -> None:
    Product.objects.create(code="p1", name="One", price=10, cost=4, available=False)
    assert selectors.product_records(["p1"]) == {
        "p1": ProductRecord("p1", "One", "", 10.0, cost=4.0, available=False)
    }


def test_purchases_without_a_basket_keep_their_moment(db: None) -> None:
    customer = Customer.objects.create(code="c1")
    product = Product.objects.create(code="p1")
    for hours in (0, 0, 1):
        at = PARIS_NOON + dt.timedelta(hours=hours)
        Interaction.objects.create(customer=customer, product=product, kind="purchase", at=at)
    Interaction.objects.create(customer=customer, product=product, kind="return", at=PARIS_NOON)

    assert sorted(selectors.bought_products("c1", upto=timezone.now())) == [
        ("p1", "", PARIS_NOON),
        ("p1", "", PARIS_NOON + dt.timedelta(hours=1)),
    ]


def test_text_keys_are_found_as_they_are(shapes: None, settings: Any, ada: User, bob: User) -> None:
    use(settings, "People")
    from tests.hosts.shapes.models import Person

    Person.objects.create(slug="o'hara/ä", rep=ada)
    assert selectors.get_customer(ada, "o'hara/ä").owners == ("ada",)
    with pytest.raises(CustomerNotFound):
        selectors.get_customer(bob, "o'hara/ä")
    with pytest.raises(CustomerNotFound):
        selectors.get_customer(ada, "o'hara\0")


def test_number_keys_are_found_by_their_only_spelling(shapes: None, settings: Any, manager: User) -> None:
    use(settings, "Members")
    from tests.hosts.shapes.models import Member

    Member.objects.create(number=7, name="Ann", company="north")
    assert selectors.get_customer(manager, "7", tenant="north").name == "Ann"
    for other in ("07", " 7", "7.0", "x", "", "9" * 40):
        with pytest.raises(CustomerNotFound):
            selectors.get_customer(manager, other, tenant="north")


def test_a_tenant_sees_its_own_rows_alone(shapes: None, settings: Any, manager: User) -> None:
    use(settings, "Members")
    from tests.hosts.shapes.models import Member, Visit

    ann = Member.objects.create(number=1, name="Ann", company="north")
    Member.objects.create(number=2, name="Ben", company="south")
    Visit.objects.create(member=ann, day=dt.date(2024, 1, 2))
    assert selectors.customer_names(["1", "2"], tenant="north") == {"1": "Ann"}
    assert selectors.customer_names(["1", "2"], tenant="south") == {"2": "Ben"}
    with pytest.raises(CustomerNotFound):
        selectors.get_customer(manager, "1", tenant="south")
    midnight = dt.datetime(2024, 1, 2, 5, tzinfo=dt.UTC)
    assert selectors.customer_events("1", tenant="north") == [
        EventRecord(midnight, "visit", "", None, None, None, "", "")
    ]
    assert selectors.customer_visits("1", tenant="north") == [VisitRecord(midnight, "visit", "", 1, None)]
    assert selectors.bought_products("1", upto=timezone.now(), tenant="north") == []


def test_without_owners_the_staff_sees_everyone_and_a_shopper_no_one(
    shapes: None, settings: Any, ada: User
) -> None:
    use(settings, "PlainPeople")
    from tests.hosts.shapes.models import Person

    Person.objects.create(slug="ann")
    shopper = User.objects.create_user("shopper")
    assert selectors.visible_customer_ids(ada) is None
    assert list(selectors.visible_customers(shopper)) == []
    assert list(selectors.visible_customers(AnonymousUser())) == []


def test_a_manager_needs_no_list_of_ids_and_a_rep_gets_one(manager: User, rep: User, other_rep: User) -> None:
    Customer.objects.create(code="c1", name="Ann", owner=rep)
    Customer.objects.create(code="c2", name="Ben", owner=other_rep)
    ids = selectors.visible_customer_ids(rep)
    assert selectors.visible_customer_ids(manager) is None
    assert ids is not None
    assert [row["crm_id"] for row in ids] == ["c1"]
    assert list(Customer.objects.filter(code__in=ids)) == [Customer.objects.get(code="c1")]


def test_the_built_in_tables_take_the_same_road(rep: User) -> None:
    customer = Customer.objects.create(
        code="c1",
        name="",
        email="ann@example.com",
        owner=rep,
        since=dt.date(2024, 1, 2),
        country="France",
        attributes={"size": 3, "tags": ["b", "a"], "nested": {"x": 1}, "none": None},
    )
    assert selectors.get_customer(rep, "c1") == CustomerRecord(
        tenant="",
        id="c1",
        name="c1",
        email="ann@example.com",
        since=dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
        owners=("rep",),
        attributes={"country": "France", "size": 3, "tags": ["a", "b"]},
    )
    tomorrow = timezone.now() + dt.timedelta(days=1)
    Interaction.objects.create(customer=customer, kind="purchase", at=tomorrow)
    assert selectors.customer_events("c1") == []


def test_the_built_in_currency_comes_from_the_settings(settings: Any) -> None:
    assert selectors.get_source().currency == "GBP"
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "CURRENCY": "EUR"}
    assert selectors.get_source().currency == "EUR"


def test_reading_a_customer_costs_few_queries(rep: User, django_assert_num_queries: Any) -> None:
    customer = Customer.objects.create(code="c1", name="Ann", owner=rep)
    product = Product.objects.create(code="p1", name="Tea")
    for _number in range(20):
        Interaction.objects.create(customer=customer, product=product, kind="purchase", at=PARIS_NOON)
    with django_assert_num_queries(1):
        assert len(selectors.customer_events("c1")) == 20
    rep.has_perm("crm_data.view_all_customers")  # what a request has asked before
    with django_assert_num_queries(3):
        selectors.get_customer(rep, "c1")
