"""One customer's list as a reader asks for it: filters, order, variety, and a reason for what is empty."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_agents.models import Agent
from crm_data.models import Customer, Interaction, Product
from recommender.choosing.wish import Wish
from recommender.models import ProductRelations, RecommendationRule, RecommendationSet
from recommender.selectors import preview, recommendations_for, set_answers
from tests.published import AS_OF, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    """Customer A has P1 to P4 recommended; everybody bought P5, P6 and P1."""
    cache.clear()
    for code, name, category, price, cost, available in (
        ("P1", "Red mug", "Mugs", "10", "9", True),
        ("P2", "Blue mug", "Mugs", "12", "2", True),
        ("P3", "Desk lamp", "Lamps", "40", "39", False),
        ("P4", "Voucher", "", None, None, True),
        ("P5", "Green mug", "Mugs", "8", "1", True),
        ("P6", "Floor lamp", "Lamps", "90", "50", True),
    ):
        Product.objects.create(
            code=code, name=name, category=category, price=price, cost=cost, available=available
        )
    for number in range(1, 4):
        customer = Customer.objects.create(code=f"B{number}", name="Buyer")
        for code in ("P5", "P6", "P1")[:number]:
            bought(customer, code, AS_OF - dt.timedelta(days=3))
    Customer.objects.create(code="A", name="Asked", country="UK")
    items = [
        {"product": f"P{number}", "score": score, "reasons": []}
        for number, score in ((1, 0.4), (2, 0.3), (3, 0.2), (4, 0.1))
    ]
    return publish("recommender", {"A": (0.4, {"source": "model", "items": items})})


def bought(customer: Customer, code: str, at: dt.datetime) -> None:
    product = Product.objects.get(code=code)
    Interaction.objects.create(customer=customer, product=product, kind="purchase", at=at, amount=5)


def asked(agent: Agent, **wish: Any) -> tuple[list[str], str]:
    found = recommendations_for(agent, "A", wish=Wish(**wish))
    return [item["product"] for item in found["items"]], found["note"]


def test_a_list_that_is_not_filtered_is_the_agents_own(agent: Agent) -> None:
    assert asked(agent) == (["P1", "P2", "P3", "P4"], "")


def test_what_everyone_buys_fills_a_list_that_filters_leave_short(agent: Agent) -> None:
    found = recommendations_for(agent, "A", wish=Wish(category="Mugs"))
    assert [(item["product"], item["source"]) for item in found["items"]] == [
        ("P1", "model"),
        ("P2", "model"),
        ("P5", "popularity"),
    ]
    assert found["items"][2]["reasons"] == [
        {"code": "popular", "text": "3 customers bought this in the last 28 days."}
    ]
    assert found["note"] == (
        "The filters leave 2 of the recommended products; the rest is what everyone buys."
    )


def test_a_list_that_a_filter_emptied_names_it_and_what_fills_it(agent: Agent) -> None:
    assert asked(agent, price_min=50) == (
        ["P6"],
        "Of 4 recommended products that were left, none costs 50.00 GBP or more. What is shown is what "
        "everyone buys within the filters.",
    )


@pytest.mark.parametrize(
    ("wish", "note"),
    [
        ({"category": "Hats"}, "Of 4 recommended products, none is in the category Hats."),
        (
            {"category": "Mugs", "price_max": 1},
            "Of 2 recommended products that were left, none costs 1.00 GBP or less.",
        ),
        (
            {"price_min": 100},
            "Of 4 recommended products that were left, none costs 100.00 GBP or more.",
        ),
        (
            {"category": "Lamps", "price_max": 50, "in_stock": True},
            "The 1 recommended product that was left is not in stock.",
        ),
    ],
)
def test_an_empty_list_names_the_filter_that_emptied_it(
    agent: Agent, wish: dict[str, Any], note: str
) -> None:
    assert asked(agent, **wish) == (
        [],
        f"{note} Nothing else that sells passes the filters either; widen them.",
    )


def test_what_was_bought_lately_is_left_out_by_the_customers_own_events(agent: Agent) -> None:
    customer = Customer.objects.get(code="A")
    bought(customer, "P1", timezone.now() - dt.timedelta(days=5))
    bought(customer, "P2", timezone.now() - dt.timedelta(days=40))
    assert asked(agent, not_bought_days=30, limit=3)[0] == ["P2", "P3", "P4"]
    assert asked(agent, not_bought_days=60, limit=2)[0] == ["P3", "P4"]
    for code in ("P3", "P4", "P5", "P6"):
        bought(customer, code, timezone.now())
    assert asked(agent, not_bought_days=60) == (
        [],
        "Of 4 recommended products that were left, each was bought in the last 60 days. Nothing else that "
        "sells passes the filters either; widen them.",
    )


def test_sorted_by_value_the_margin_decides_where_every_cost_is_known(agent: Agent) -> None:
    found = recommendations_for(agent, "A", wish=Wish(order="value"))
    assert (found["order"], found["value_of"], found["currency"]) == ("value", "margin", "GBP")
    assert [(item["product"], item["value"]) for item in found["items"]] == [
        ("P2", 3.0),
        ("P1", 0.4),
        ("P3", 0.2),
        ("P4", None),
    ]
    Product.objects.filter(code="P1").update(cost=None)
    found = recommendations_for(agent, "A", wish=Wish(order="value"))
    assert found["value_of"] == "price"
    assert [item["product"] for item in found["items"]] == ["P3", "P1", "P2", "P4"]


def test_diversity_is_asked_for_or_set(agent: Agent, settings: Any) -> None:
    assert asked(agent, diversity=0.6, limit=2)[0] == ["P1", "P3"]
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": {"recommender": {"diversity": 0.6}}}
    assert asked(agent, limit=2)[0] == ["P1", "P3"]
    assert asked(agent, limit=2, diversity=0)[0] == ["P1", "P2"]


def test_what_replaces_another_product_by_the_scores_counts_as_alike(agent: Agent) -> None:
    assert asked(agent, diversity=0.4, limit=2)[0] == ["P1", "P3"]
    assert agent.live_scoring is not None
    for key, other in (("P1", "P3"), ("P1", "P2")):
        ProductRelations.objects.create(
            scoring=agent.live_scoring,
            shard=int(other[1:]),
            key=key,
            payload={"substitutes": [{"product": other, "reasons": []}]},
        )
    assert asked(agent, diversity=0.4, limit=2)[0] == ["P1", "P4"]


def test_rules_hold_for_what_fills_the_list_too(agent: Agent) -> None:
    RecommendationRule.objects.create(action="exclude", product="P5")
    RecommendationRule.objects.create(action="cap", category="Lamps", at_most=1)
    assert asked(agent, category="Mugs")[0] == ["P1", "P2"]
    assert asked(agent, category="Lamps")[0] == ["P3"]


def test_a_pinned_product_passes_the_filters_or_is_not_shown(agent: Agent) -> None:
    RecommendationRule.objects.create(action="pin", product="P6")
    assert asked(agent, limit=2)[0] == ["P6", "P1"]
    assert asked(agent, category="Mugs", limit=2)[0] == ["P1", "P2"]


def test_rules_that_exclude_everything_are_named(agent: Agent) -> None:
    for category in ("Mugs", "Lamps"):
        RecommendationRule.objects.create(action="exclude", category=category)
    RecommendationRule.objects.create(action="exclude", product="P4")
    note = "Rules exclude every product that was recommended to this customer."
    assert asked(agent) == ([], note)


def test_rules_for_some_customers_leave_the_others_alone(agent: Agent) -> None:
    RecommendationRule.objects.create(action="exclude", product="P1", attribute="country", value="UK")
    assert asked(agent)[0] == ["P2", "P3", "P4"]
    Customer.objects.filter(code="A").update(country="France")
    assert asked(agent)[0] == ["P1", "P2", "P3", "P4"]


def test_rules_of_other_days_and_those_switched_off_are_not_heeded(agent: Agent) -> None:
    today = timezone.localdate()
    day = dt.timedelta(days=1)
    RecommendationRule.objects.create(action="exclude", product="P1", ends=today - day)
    RecommendationRule.objects.create(action="exclude", product="P1", starts=today + day)
    RecommendationRule.objects.create(action="exclude", product="P1", active=False)
    RecommendationRule.objects.create(action="exclude", product="P1", tenant="other")
    assert asked(agent)[0][0] == "P1"
    RecommendationRule.objects.create(action="exclude", product="P1", starts=today, ends=today)
    assert asked(agent)[0][0] == "P2"


def test_moves_say_so_and_the_preview_shows_both_lists(agent: Agent) -> None:
    RecommendationRule.objects.create(action="boost", product="P3", strength=3)
    RecommendationRule.objects.create(action="bury", product="P1", strength=10)
    before, after = preview(agent, "A")
    assert [item["product"] for item in before["items"]] == ["P1", "P2", "P3", "P4"]
    assert [item["product"] for item in after["items"]] == ["P3", "P2", "P4", "P1"]
    assert [item["reasons"] for item in after["items"]][::3] == [
        [{"code": "moved_up", "text": "Moved up by a rule."}],
        [{"code": "moved_down", "text": "Moved down by a rule."}],
    ]


def queries_of(call: Callable[[], Any]) -> int:
    call()  # fills caches
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def test_filters_rules_and_order_take_few_more_queries(agent: Agent) -> None:
    plain = queries_of(lambda: asked(agent))
    RecommendationRule.objects.create(action="pin", product="P6")
    assert queries_of(lambda: asked(agent, order="value")) == plain
    assert queries_of(lambda: asked(agent, diversity=0.5)) == plain + 1  # what replaces what
    assert queries_of(lambda: asked(agent, category="Mugs")) == plain + 1  # products that everyone buys
    RecommendationRule.objects.create(action="boost", product="P2", attribute="country", value="UK")
    assert queries_of(lambda: asked(agent)) == plain + 1  # attributes
    rows = list(RecommendationSet.objects.filter(scoring=agent.live_scoring))
    assert queries_of(lambda: set_answers(rows, "")) == 3  # rules, attributes, products
