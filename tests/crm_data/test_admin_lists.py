"""Lists of the built-in tables: how many queries they cost, who sees what, and how they are counted."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.utils import timezone

from crm_data.admin import paging
from crm_data.admin.paging import RoughPaginator
from crm_data.admin.sites import configured_sites, register
from crm_data.models import Customer, ImportBatch, Interaction, MarketIndicator, Product, Snapshot

if TYPE_CHECKING:
    from django.contrib.auth.models import User

other_site = AdminSite(name="other")


@pytest.fixture
def shop(rep: "User", other_rep: "User") -> dict[str, Customer]:
    """Two customers of `rep` and one of `other_rep`, with two interactions each."""
    owners = {"A1": rep, "A2": rep, "B1": other_rep}
    customers = {
        code: Customer.objects.create(
            code=code, name=f"Customer {code}", owner=owner, email=f"{code}@example.com"
        )
        for code, owner in owners.items()
    }
    product = Product.objects.create(code="P1", name="Heart", category="Decoration")
    at = timezone.now() - timedelta(days=1)
    for customer in customers.values():
        Interaction.objects.create(
            customer=customer, product=product, kind="purchase", at=at, basket=f"X{customer}"
        )
        Interaction.objects.create(customer=customer, kind="email", at=at, text="Hello")
    return customers


def signed_in(user: "User") -> Client:
    client = Client()
    client.force_login(user)
    return client


def allow(user: "User", *codenames: str) -> None:
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=codenames, content_type__app_label="crm_data")
    )


def codes(client: Client, url: str, **query: str) -> list[str]:
    """Return the customers' codes of the rows that a list shows."""
    rows = client.get(url, query).context["cl"].result_list
    return sorted(getattr(row, "customer", row).code for row in rows)


CUSTOMERS = "/admin/crm_data/customer/"
INTERACTIONS = "/admin/crm_data/interaction/"


@pytest.mark.parametrize(
    "url", [CUSTOMERS, INTERACTIONS, "/admin/crm_data/product/", "/admin/crm_data/snapshot/"]
)
def test_a_list_costs_the_same_however_many_rows_it_shows(
    manager: "User", shop: Any, url: str, django_assert_num_queries: Any
) -> None:
    manager.is_superuser = True
    manager.save()
    client = signed_in(manager)
    extra = {"/admin/crm_data/product/": 1}.get(url, 0)  # the categories of the filter
    with django_assert_num_queries(4 + extra):  # session, user, count, rows
        assert client.get(url).status_code == 200


def test_a_rep_s_list_of_interactions_costs_no_more(
    rep: "User", shop: Any, django_assert_num_queries: Any
) -> None:
    client = signed_in(rep)
    with django_assert_num_queries(6):  # and two for the permissions
        client.get(INTERACTIONS)


def test_a_rep_sees_own_customers_and_their_interactions(rep: "User", manager: "User", shop: Any) -> None:
    assert codes(signed_in(rep), CUSTOMERS) == ["A1", "A2"]
    assert codes(signed_in(rep), INTERACTIONS) == ["A1", "A1", "A2", "A2"]
    assert codes(signed_in(manager), CUSTOMERS) == ["A1", "A2", "B1"]
    assert len(codes(signed_in(manager), INTERACTIONS)) == 6


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_a_foreign_customer_s_pages_are_not_found(rep: "User", shop: dict[str, Customer], page: str) -> None:
    allow(rep, "change_customer", "delete_customer")
    client = signed_in(rep)
    assert client.get(f"{CUSTOMERS}{shop['A1'].pk}/{page}/").status_code == 200
    assert client.get(f"{CUSTOMERS}{shop['B1'].pk}/{page}/").status_code == 404
    assert client.get(f"{CUSTOMERS}4711/{page}/").status_code == 404


def test_a_foreign_customer_s_interaction_is_not_found(rep: "User", shop: dict[str, Customer]) -> None:
    mine, theirs = (shop[code].interactions.get(kind="email") for code in ("A1", "B1"))
    client = signed_in(rep)
    assert client.get(f"{INTERACTIONS}{mine.pk}/change/").status_code == 200
    assert client.get(f"{INTERACTIONS}{theirs.pk}/change/").status_code == 404


def test_a_rep_cannot_write_to_a_foreign_customer(rep: "User", shop: dict[str, Customer]) -> None:
    allow(rep, "add_interaction")
    client = signed_in(rep)
    when = {"at_0": "2026-03-01", "at_1": "10:00:00"}

    def add(code: str) -> int:
        return client.post(
            f"{INTERACTIONS}add/", {"customer": shop[code].pk, "kind": "call", **when}
        ).status_code

    assert (add("B1"), Interaction.objects.filter(kind="call").count()) == (200, 0)
    assert (add("A1"), Interaction.objects.filter(kind="call").count()) == (302, 1)


def test_a_currency_without_a_rate_is_refused_where_it_is_typed(manager: "User", shop: Any) -> None:
    typed = {
        "customer": shop["A1"].pk,
        "kind": "call",
        "at_0": "2026-01-02",
        "at_1": "10:00",
        "currency": "USD",
    }
    before = Interaction.objects.count()
    answer = signed_in(manager).post(f"{INTERACTIONS}add/", typed)
    (error,) = answer.context["adminform"].form.errors["currency"]
    assert error.startswith("An amount is in USD, but BuiltInSource keeps its amounts in GBP")
    assert Interaction.objects.count() == before

    assert signed_in(manager).post(f"{INTERACTIONS}add/", {**typed, "currency": "GBP"}).status_code == 302
    assert Interaction.objects.count() == before + 1


def test_autocomplete_offers_own_customers_only(rep: "User", shop: Any) -> None:
    query = {
        "app_label": "crm_data",
        "model_name": "interaction",
        "field_name": "customer",
        "term": "customer",
    }
    found = signed_in(rep).get("/admin/autocomplete/", query).json()["results"]
    assert [item["text"] for item in found] == ["Customer A1", "Customer A2"]


def test_customers_are_found_by_code_name_and_email(manager: "User", shop: Any) -> None:
    client = signed_in(manager)
    assert codes(client, CUSTOMERS, q="A") == ["A1", "A2"]
    assert codes(client, CUSTOMERS, q="mer b") == ["B1"]
    assert codes(client, CUSTOMERS, q="a2@exam") == ["A2"]


@pytest.mark.parametrize(("term", "found"), [("A1", 2), ("p1", 3), ("XCustomer B1", 1), ("A", 0), (" ", 6)])
def test_interactions_are_found_by_exact_codes(manager: "User", shop: Any, term: str, found: int) -> None:
    assert len(codes(signed_in(manager), INTERACTIONS, q=term)) == found


def test_a_search_does_not_show_foreign_interactions(rep: "User", shop: Any) -> None:
    assert codes(signed_in(rep), INTERACTIONS, q="B1") == []
    assert codes(signed_in(rep), INTERACTIONS, q="P1") == ["A1", "A2"]


@pytest.mark.parametrize(
    ("kind", "found"), [("purchase", 3), ("email", 3), ("call", 0), ("other", 1), ("no\0ne", 7)]
)
def test_interactions_are_filtered_by_kind(
    manager: "User", shop: dict[str, Customer], kind: str, found: int
) -> None:
    Interaction.objects.create(customer=shop["A1"], kind="visit-online", at=timezone.now())
    assert len(codes(signed_in(manager), INTERACTIONS, kind=kind)) == found


def test_customers_are_filtered_by_sales_rep(manager: "User", shop: dict[str, Customer]) -> None:
    Customer.objects.filter(code="A1").update(owner=manager)
    Customer.objects.filter(code="A2").update(owner=None)
    client = signed_in(manager)
    assert codes(client, CUSTOMERS, owner="me") == ["A1"]
    assert codes(client, CUSTOMERS, owner="nobody") == ["A2"]


def test_a_new_customer_is_offered_to_who_adds_it(rep: "User", shop: Any) -> None:
    allow(rep, "add_customer")
    form = signed_in(rep).get(f"{CUSTOMERS}add/").context["adminform"].form
    assert form.initial["owner"] == str(rep.pk)


def test_the_customer_s_page_has_the_agents_link_only_where_there_is_one(rep: "User", shop: Any) -> None:
    page = signed_in(rep).get(f"{CUSTOMERS}{shop['A1'].pk}/change/").content.decode()
    registered = any(
        pattern.name == "crm_agents_customer"
        for model_admin in admin.site._registry.values()
        for pattern in model_admin.get_urls()
    )
    assert ("crm-agents-view" in page) == registered


@pytest.mark.parametrize("model", ["importbatch", "snapshot"])
def test_records_are_read_only(manager: "User", model: str) -> None:
    manager.is_superuser = True
    manager.save()
    batch = ImportBatch.objects.create(
        file_name="sales.csv", report={"file": "sales.csv", "sha256": "", "options": {}, "rows_read": 1234}
    )
    snapshot = Snapshot.objects.create(
        folder="x", watermark=timezone.now(), events=1, customers=1, products=1, shards=1
    )
    row = {"importbatch": batch, "snapshot": snapshot}[model]
    client = signed_in(manager)
    base = f"/admin/crm_data/{model}/"

    assert client.get(f"{base}add/").status_code == 403
    assert client.get(f"{base}{row.pk}/delete/").status_code == 403
    assert client.post(f"{base}{row.pk}/change/", {"file_name": "y", "folder": "y"}).status_code == 403
    page = client.get(f"{base}{row.pk}/change/").content.decode()
    assert 'name="_save"' not in page
    assert model == "snapshot" or "<th scope=row>rows read</th><td>1,234</td>" in page


def test_market_indicators_can_be_listed_and_searched(manager: "User") -> None:
    for series in ("promotion", "holiday"):
        MarketIndicator.objects.create(series=series, date=timezone.localdate(), value=1)
    manager.is_superuser = True
    manager.save()
    rows = signed_in(manager).get("/admin/crm_data/marketindicator/", {"q": "holi"}).context["cl"].result_list
    assert [row.series for row in rows] == ["holiday"]


def test_a_long_list_is_counted_only_so_far(monkeypatch: pytest.MonkeyPatch, shop: Any) -> None:
    monkeypatch.setattr(paging, "COUNTED", 4)
    monkeypatch.setattr(paging, "_table_estimate", lambda _rows: 0)
    count = RoughPaginator(Interaction.objects.order_by("id"), 2).count
    assert (int(count), str(count), f"{count}") == (4, "more than 4", "more than 4")


def test_a_whole_table_is_estimated_where_the_database_can(
    monkeypatch: pytest.MonkeyPatch, shop: Any
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 4)
    whole, part = Interaction.objects.order_by("id"), Interaction.objects.exclude(kind="call").order_by("id")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE crm_data_interaction")
        assert str(RoughPaginator(whole, 2).count) == "about 6"
    else:
        assert str(RoughPaginator(whole, 2).count) == "more than 4"
    assert str(RoughPaginator(part, 2).count) == "more than 4"


def test_a_short_list_is_counted_exactly(shop: Any) -> None:
    count = RoughPaginator(Interaction.objects.order_by("id"), 2).count
    assert (count, type(count)) == (6, int)
    assert RoughPaginator([1, 2, 3], 2).count == 3


def test_pages_are_registered_on_every_configured_site(settings: Any) -> None:
    settings.CRM_AGENTS = {
        **settings.CRM_AGENTS,
        "ADMIN_SITES": [
            "django.contrib.admin.site",
            f"{__name__}.other_site",
            "django.contrib.admin.sites.site",
        ],
    }
    assert configured_sites() == [admin.site, other_site]

    class PlainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
        pass

    usual = type(admin.site.get_model_admin(Product))
    register(Product, PlainAdmin)

    assert type(other_site.get_model_admin(Product)) is PlainAdmin
    assert type(admin.site.get_model_admin(Product)) is usual


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.site", "The admin site 'nowhere.site' cannot be imported"),
        (
            "django.contrib.admin.ModelAdmin",
            "'django.contrib.admin.ModelAdmin' is MediaDefiningClass, not an admin",
        ),
    ],
)
def test_a_path_that_leads_to_no_site_is_named(settings: Any, path: str, message: str) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "ADMIN_SITES": [path]}
    with pytest.raises(ImproperlyConfigured, match=message):
        configured_sites()
