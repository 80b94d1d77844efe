import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm_data.models import Customer, Product
from recommender.models import RecommendationSet
from tests.published import Answer, publish

pytestmark = pytest.mark.django_db

URL = "admin:crm_agents_recommender_recommendationset_changelist"

REPEAT = {"code": "repeat", "times": 6, "usual_gap_days": 30, "days_since": 35}
POPULAR = {"code": "popular", "customers": 300, "days": 28}
ANSWERS: dict[str, Answer] = {
    "A": (
        0.31,
        {
            "source": "model",
            "items": [
                {"product": "22423", "score": 0.31, "reasons": [REPEAT]},
                {"product": "21212", "score": 0.2, "reasons": []},
                {"product": "85048", "score": 0.1, "reasons": []},
            ],
        },
    ),
    "N": (
        0.4,
        {"source": "popularity", "items": [{"product": "85048", "score": 0.4, "reasons": [POPULAR]}]},
    ),
    "E": (None, {"source": "model", "items": []}),
}


@pytest.fixture(autouse=True)
def shop(rep: User, other_rep: User) -> None:
    for code, name in (("22423", "Cake stand"), ("21212", "Cake cases"), ("85048", "Lights")):
        Product.objects.create(code=code, name=name)
    for code, owner in (("A", rep), ("N", other_rep), ("E", rep)):
        Customer.objects.create(code=code, name=f"Shop {code}", owner=owner)


def listed(client: Client, **query: str) -> list[str]:
    response = client.get(reverse(URL), query)
    assert response.status_code == 200
    return [row.customer_id for row in response.context["cl"].result_list]


def test_the_surest_comes_first_and_only_own_customers(client: Client, manager: User, rep: User) -> None:
    publish("recommender", ANSWERS)
    client.force_login(manager)
    assert listed(client) == ["N", "A", "E"]
    client.force_login(rep)
    assert listed(client) == ["A", "E"]
    assert listed(client, q="shop n") == []


def test_a_row_names_the_products_and_why(client: Client, manager: User) -> None:
    publish("recommender", ANSWERS)
    client.force_login(manager)
    html = client.get(reverse(URL)).content.decode()
    for text in (
        "Cake stand",
        "Bought 6 times, about every 30 days; last 35 days ago.",
        "Cake cases, Lights",
        "300 customers bought this in the last 28 days. "
        "Popular with everyone; this customer has no purchases yet.",
        '<span class="crm-badge crm-badge--warn">popularity</span>',
        "The agent found no product to recommend to this customer.",
        "0.310",
    ):
        assert text in html, text


def test_the_list_leads_to_the_products_and_the_rules(client: Client, manager: User) -> None:
    client.force_login(manager)
    html = client.get(reverse(URL)).content.decode()
    for name in ("products", "recommendationrule_changelist"):
        assert f'<li><a href="{reverse(f"admin:crm_agents_recommender_{name}")}">' in html, name


def test_a_row_tells_what_its_list_may_bring(client: Client, manager: User) -> None:
    publish("recommender", ANSWERS)
    client.force_login(manager)
    assert '<td class="field-worth">–</td>' in client.get(reverse(URL)).content.decode()
    Product.objects.filter(code="22423").update(price=10)
    Product.objects.filter(code="21212").update(price="2.50")
    assert '<td class="field-worth">3.60 GBP</td>' in client.get(reverse(URL)).content.decode()


def test_what_similar_customers_buy_is_marked(client: Client, manager: User) -> None:
    alike = {"attribute": "country", "value": "France", "customers": 3, "of": 9, "days": 365}
    reason = {"code": "same_branch", **alike, "elsewhere": 0.0}
    items = [{"product": "85048", "score": 0.4, "reasons": [reason]}]
    publish("recommender", {"N": (0.4, {"source": "similar_customers", "items": items})})
    client.force_login(manager)
    badge = '<span class="crm-badge crm-badge--warn">similar customers</span>'
    why = (
        "3 of 9 other customers with country France bought this in the last 365 days; of everyone else, 0 %."
    )
    html = client.get(reverse(URL)).content.decode()
    for text in (badge, why, "What customers with the same attributes buy"):
        assert text in html, text


def test_the_export_has_a_line_for_each_product(client: Client, rep: User) -> None:
    publish("recommender", ANSWERS)
    client.force_login(rep)
    Product.objects.filter(code="22423").update(price=10)
    ticked = str(RecommendationSet.objects.get(customer_id="A").pk)
    values = {"action": "export_csv", "_selected_action": ticked, "select_across": "1"}
    response = client.post(reverse(URL), values)
    lines = list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))
    nothing = "The agent found no product to recommend to this customer."
    moment = "2011-12-09T12:50:00+00:00"
    why = "Bought 6 times, about every 30 days; last 35 days ago."
    assert lines[1:] == [
        ["A", "Shop A", "1", "22423", "Cake stand", "0.31", "3.1", why, "", moment],
        ["A", "Shop A", "2", "21212", "Cake cases", "0.2", "", "", "", moment],
        ["A", "Shop A", "3", "85048", "Lights", "0.1", "", "", "", moment],
        [
            "E",
            "Shop E",
            "",
            "",
            "",
            "",
            "",
            "",
            nothing,
            moment,
        ],
    ]


def test_a_long_list_takes_as_few_queries_as_a_short_one(
    client: Client, manager: User, django_assert_num_queries: Any
) -> None:
    client.force_login(manager)
    publish("recommender", ANSWERS)
    client.get(reverse(URL))
    Customer.objects.bulk_create(Customer(code=f"C{n}", name=f"Shop {n}") for n in range(60))
    publish("recommender", {f"C{n}": ANSWERS["A"] for n in range(60)})
    with django_assert_num_queries(13):
        assert len(listed(client)) == 50
