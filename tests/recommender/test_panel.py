"""The list on the customer's page, narrowed and reordered by its form."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from crm_data.models import Customer, Product
from recommender.models import RecommendationRule
from tests.crm_agents_admin.support import inline_parts, text_of
from tests.published import publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(client: Client, rep: User) -> None:
    cache.clear()
    Customer.objects.create(code="A", name="Alder", owner=rep)
    for code, name, category, price, available in (
        ("P1", "Candle", "Home", "5", True),
        ("P2", "Lantern", "Home", "50", False),
        ("P3", "Spade", "Garden", "20", True),
    ):
        Product.objects.create(code=code, name=name, category=category, price=price, available=available)
    items = [{"product": f"P{number}", "score": 0.4 - number / 10, "reasons": []} for number in (1, 2, 3)]
    publish("recommender", {"A": (0.3, {"source": "model", "items": items})})
    client.force_login(rep)


def opened(client: Client, **asked: Any) -> tuple[list[str], str]:
    query = {f"rec-{name}": value for name, value in asked.items()}
    page = client.get(reverse("admin:crm_agents_customer", args=["A"]), query)
    assert page.status_code == 200
    assert inline_parts(page) == []
    text = text_of(page)
    block = text[text.index('id="panel-recommender"') : text.index('id="panel-interactions"')]
    return re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<]+)<', block), block


def test_the_form_is_folded_until_it_is_used(client: Client) -> None:
    shown, block = opened(client)
    assert shown == ["Candle", "Lantern", "Spade"]
    assert '<details class="crm-narrow"><summary>' in block
    assert "not in stock" in block
    assert "Chance ×" not in block
    _shown, block = opened(client, category="Home")
    assert '<details class="crm-narrow" open>' in block
    assert "The whole list" in block


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"category": "Home"}, ["Candle", "Lantern"]),
        ({"price_min": "10", "price_max": "30"}, ["Spade"]),
        ({"in_stock": "on"}, ["Candle", "Spade"]),
        ({"limit": "1"}, ["Candle"]),
        ({"order": "value"}, ["Lantern", "Spade", "Candle"]),
        ({"diversity": "1", "limit": "2"}, ["Candle", "Spade"]),
        ({"category": "", "price_min": "", "order": "chance"}, ["Candle", "Lantern", "Spade"]),
    ],
)
def test_the_list_follows_the_form(client: Client, asked: dict[str, str], shown: list[str]) -> None:
    assert opened(client, **asked)[0] == shown


def test_values_are_shown_with_what_they_are_made_of(client: Client) -> None:
    assert "Chance × price (GBP)" in opened(client, order="value")[1]
    Product.objects.update(cost=1)
    assert "Chance × margin (GBP)" in opened(client, order="value")[1]


def test_what_empties_the_list_is_named_and_the_form_stays(client: Client) -> None:
    shown, block = opened(client, category="Hats")
    assert shown == []
    assert "Of 3 recommended products, none is in the category Hats." in block
    assert 'value="Hats"' in block
    assert "cannot be" not in block


def test_one_product_is_spoken_of_as_one(client: Client) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1")
    RecommendationRule.objects.create(action="exclude", product="P2")
    for asked, said in (
        ({"category": "Hats"}, "The 1 recommended product is not in the category Hats."),
        ({"price_min": "21"}, "The 1 recommended product that was left costs less than 21.00 GBP."),
        ({"price_max": "19"}, "The 1 recommended product that was left costs more than 19.00 GBP."),
    ):
        shown, block = opened(client, **asked)
        assert shown == []
        assert said in block
    Product.objects.filter(code="P3").update(available=False)
    assert "The 1 recommended product that was left is not in stock." in opened(client, in_stock="on")[1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"price_min": "9", "price_max": "1"}, "This is below the lowest price, 9; give a higher one."),
        ({"diversity": "2"}, "Ensure this value is less than or equal to 1."),
        ({"limit": "x"}, "Enter a whole number."),
        ({"order": "luck"}, "Select a valid choice. luck is not one of the available choices."),
        ({"price_min": "nan"}, "Enter a number."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_the_plain_list_shown(
    client: Client, asked: dict[str, str], message: str
) -> None:
    shown, block = opened(client, **asked)
    assert shown == ["Candle", "Lantern", "Spade"]
    assert message in block
    assert "What you asked for cannot be; this is the whole list." in block


def test_feedback_leads_back_to_the_list_as_it_was_narrowed(client: Client) -> None:
    _, block = opened(client, category="Home", order="value")
    query = "rec-category=Home&amp;rec-order=value"
    assert block.count(f'<input type="hidden" name="query" value="{query}">') == 2
    said = {"customer": "A", "agent": "recommender", "item": "P1", "verdict": "accepted"}
    url, page = (
        reverse("admin:crm_agents_customer_feedback"),
        reverse("admin:crm_agents_customer", args=["A"]),
    )
    for sent, back in (
        ("rec-category=Home&rec-order=value", "?rec-category=Home&rec-order=value"),
        ("rec-category=A%26B&rec-x=1&rec-x=2&tenant=other", "?rec-category=A%26B&rec-x=1&rec-x=2"),
        ("//evil.example", "?%2F%2Fevil.example="),
        ("", ""),
    ):
        answer = client.post(url, {**said, "query": sent})
        assert (answer.status_code, answer["Location"]) == (302, f"{page}{back}#panel-recommender")


def test_rules_are_told_on_the_page(client: Client) -> None:
    RecommendationRule.objects.create(action="pin", product="P3", note="Spring")
    shown, block = opened(client)
    assert shown == ["Spade", "Candle", "Lantern"]
    assert "Pinned by a rule. Spring" in block
