"""The product's page in the admin: whom to call, substitutes, bundles, and the file of callers."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm_data.models import Customer, Product
from tests.published import publish, publish_products

pytestmark = pytest.mark.django_db

BUNDLE = {"product": "21212", "orders": 30, "of": 90, "lift": 4.0}
ALIKE = {"product": "85048", "reasons": [{"code": "similar_name", "words": ["glass", "ball"]}]}


@pytest.fixture(autouse=True)
def shop(rep: User, other_rep: User) -> None:
    for code, name in (("22423", "Cake stand"), ("21212", "Cake cases"), ("85048", "Lights"), ("A/1", "Odd")):
        Product.objects.create(code=code, name=name, price="10")
    for code, owner in (("A", rep), ("N", other_rep)):
        Customer.objects.create(code=code, name=f"=Shop {code}", owner=owner)


@pytest.fixture
def live(shop: None) -> Any:
    publish("churn", {"A": (0.9, {"reasons": []})})
    items = [{"product": "22423", "score": 0.31, "reasons": []}]
    agent = publish("recommender", {"A": (0.31, {"source": "model", "items": items})})
    publish_products(
        agent,
        {"22423": [["N", 0.5, 2, 3], ["A", 0.31, 1, 40]], "A/1": [["A", 0.1, None, None]]},
        {"22423": {"substitutes": [ALIKE], "bundles": [BUNDLE]}, "A/1": {"orders": 0, "ranked_by": []}},
    )
    return agent


def page(client: Client, code: str, **query: str) -> Any:
    return client.get(reverse("admin:crm_agents_recommender_product", args=[code]), query)


def test_the_page_shows_whom_to_call_and_what_goes_with_it(client: Client, rep: User, live: Any) -> None:
    client.force_login(rep)
    html = page(client, "22423").content.decode()
    for text in (
        '<a href="/admin/crm_agents/agent/customers/A/">=Shop A</a>',
        "Bought once, 40 days ago.",
        "0.310",
        "3.10",
        "Expected sales (GBP)",
        "Both names have: glass, ball.",
        "In 30 of the 90 orders with it (33 %), 4.0 times as often as by chance.",
        '<a href="/admin/crm_agents_recommender/recommendationset/products/21212/">Cake cases</a>',
        '<span class="crm-badge crm-badge--high">',
        reverse("admin:crm_data_product_change", args=[Product.objects.get(code="22423").pk]),
    ):
        assert text in html, text
    assert "Shop N" not in html


def test_a_number_with_a_slash_has_a_page_that_says_how_it_was_ranked(
    client: Client, manager: User, live: Any
) -> None:
    client.force_login(manager)
    html = page(client, "A/1").content.decode()
    assert "Nobody has bought it yet, and nothing is known of it that the agent reads" in html


def test_the_file_of_callers_holds_whom_the_user_sees(client: Client, rep: User, live: Any) -> None:
    client.force_login(rep)
    response = page(client, "22423", export="csv")
    lines = list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))
    assert lines[0][:4] == ["product number", "product", "customer number", "customer"]
    assert lines[1:] == [
        ["22423", "Cake stand", "A", "'=Shop A", "rep", "0.31", "3.1", "Bought once, 40 days ago.", ""]
    ]
    nobody = list(csv.reader(StringIO(page(client, "85048", export="csv").getvalue().decode("utf-8-sig"))))
    assert nobody[1][-1].endswith("do not know this product; the next scoring does.")


def test_unknown_products_are_not_found_and_strangers_kept_out(
    client: Client, manager: User, live: Any
) -> None:
    client.force_login(manager)
    assert page(client, "nothing").status_code == 404
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert page(client, "22423").status_code == 403
    assert client.get(reverse("admin:crm_agents_recommender_products")).status_code == 403


def test_products_are_found_by_name_and_number(client: Client, rep: User, live: Any) -> None:
    client.force_login(rep)
    url = reverse("admin:crm_agents_recommender_products")
    html = client.get(url, {"q": "cake"}).content.decode()
    assert "Cake stand" in html
    assert "Cake cases" in html
    assert "Lights" not in html
    assert "Lights" in client.get(url, {"q": "850"}).content.decode()
    assert "No product has “xyz”" in client.get(url, {"q": "xyz"}).content.decode()


def test_the_built_in_products_and_the_worklist_lead_here(client: Client, manager: User, live: Any) -> None:
    client.force_login(manager)
    mine = reverse("admin:crm_agents_recommender_product", args=["22423"])
    product = Product.objects.get(code="22423")
    change = client.get(reverse("admin:crm_data_product_change", args=[product.pk])).content.decode()
    assert f'href="{mine}"' in change
    every = client.get(reverse("admin:crm_data_product_changelist")).content.decode()
    assert reverse("admin:crm_agents_recommender_products") in every
    listed = client.get(reverse("admin:crm_agents_recommender_recommendationset_changelist"))
    assert f'<a href="{mine}">Cake stand</a>' in listed.content.decode()


def test_a_longer_list_of_callers_takes_no_more_queries(
    client: Client, manager: User, live: Any, django_assert_num_queries: Any
) -> None:
    client.force_login(manager)
    page(client, "22423")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        page(client, "22423")
    Customer.objects.bulk_create(Customer(code=f"C{n}", name=f"Shop {n}") for n in range(40))
    publish_products(live, {"22423": [[f"C{n}", 0.2, None, None] for n in range(40)]}, {}, shard=1)
    with django_assert_num_queries(len(few)):
        page(client, "22423")


def test_a_customers_list_leads_to_the_products(client: Client, rep: User, live: Any) -> None:
    client.force_login(rep)
    html = client.get(reverse("admin:crm_agents_customer", args=["A"])).content.decode()
    mine = reverse("admin:crm_agents_recommender_product", args=["22423"])
    assert f'<a href="{mine}">Cake stand</a>' in html
