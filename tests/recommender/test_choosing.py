"""The parts of the choice by themselves: products in, list out."""

import datetime as dt
from typing import Any

import pytest

from crm_data.selectors import ProductRecord
from recommender.choosing.filters import sieved
from recommender.choosing.offer import MODEL, RULE, Offer
from recommender.choosing.picking import picked
from recommender.choosing.rules import applies_to, governed
from recommender.choosing.value import priced
from recommender.choosing.variety import alike
from recommender.choosing.wish import Wish
from recommender.models import RecommendationRule


def record(product: str, category: str = "", price: float | None = None, **more: Any) -> ProductRecord:
    return ProductRecord(id=product, name=more.pop("name", product), category=category, price=price, **more)


def offers(*records: ProductRecord, scores: tuple[float, ...] = ()) -> list[Offer]:
    chances = scores or tuple(round(0.9 - 0.1 * place, 1) for place in range(len(records)))
    return [Offer(each, MODEL, chance) for each, chance in zip(records, chances, strict=True)]


def products(chosen: list[Offer]) -> list[str]:
    return [offer.product for offer in chosen]


CANDLE = record("candle", "Home", 5.0, available=True)
LAMP = record("lamp", "Home", 50.0, available=False)
SPADE = record("spade", "Garden", 20.0)
SEEDS = record("seeds", "Garden")


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        (Wish(category="Garden"), ["spade", "seeds"]),
        (Wish(price_min=20), ["lamp", "spade"]),
        (Wish(price_max=20), ["candle", "spade"]),
        (Wish(price_min=5, price_max=5), ["candle"]),
        (Wish(in_stock=True), ["candle", "spade", "seeds"]),
        (Wish(not_bought_days=30), ["candle", "lamp", "seeds"]),
        (Wish(), ["candle", "lamp", "spade", "seeds"]),
    ],
)
def test_each_filter_keeps_what_is_wanted(wish: Wish, left: list[str]) -> None:
    found = sieved(offers(CANDLE, LAMP, SPADE, SEEDS), wish, bought={"spade"})
    assert (products(found.offers), found.emptied) == (left, "")


def test_the_filter_that_leaves_none_is_named_with_how_many_there_were() -> None:
    found = sieved(offers(CANDLE, LAMP, SPADE), Wish(category="Home", price_max=1))
    assert (found.offers, found.emptied, found.before) == ([], "price_max", 2)


def test_nothing_is_emptied_where_nothing_was() -> None:
    assert sieved([], Wish(category="Home")).emptied == ""


def rule(action: str, number: int = 1, **values: Any) -> RecommendationRule:
    return RecommendationRule(pk=number, action=action, **values)


CATALOGUE = {each.id: each for each in (CANDLE, LAMP, SPADE, SEEDS)}


def test_an_excluded_product_and_an_excluded_category_go() -> None:
    rules = [rule("exclude", product="candle"), rule("exclude", 2, category="Garden")]
    found = governed(offers(CANDLE, LAMP, SPADE), rules, CATALOGUE)
    assert (products(found.others), found.excluded) == (["lamp"], 2)


def test_a_pin_brings_a_product_in_and_stays_where_its_category_is_excluded() -> None:
    rules = [rule("exclude", category="Garden"), rule("pin", 2, product="seeds", ends=dt.date(2026, 12, 24))]
    found = governed(offers(CANDLE), rules, CATALOGUE)
    assert [(offer.product, offer.source) for offer in found.pinned] == [("seeds", RULE)]
    assert found.pinned[0].said == [
        {"code": "pinned", "rule": 2, "until": dt.date(2026, 12, 24), "note": ""},
    ]


def test_pins_stand_in_the_order_of_their_rules_and_keep_what_the_model_said() -> None:
    rules = [rule("pin", 1, product="seeds"), rule("pin", 2, product="candle")]
    found = governed(offers(CANDLE, SPADE), rules, CATALOGUE)
    assert [(offer.product, offer.source, offer.score) for offer in found.pinned] == [
        ("seeds", "rule", None),
        ("candle", "model", 0.9),
    ]
    assert products(found.others) == ["spade"]


def test_what_is_gone_or_sold_out_is_not_pinned() -> None:
    rules = [rule("pin", 1, product="gone"), rule("pin", 2, product="lamp")]
    found = governed(offers(CANDLE, LAMP), rules, CATALOGUE)
    assert (products(found.pinned), products(found.others)) == ([], ["candle"])


def test_moves_of_a_product_and_of_its_category_multiply() -> None:
    rules = [
        rule("boost", 1, product="spade", strength=6.0),
        rule("bury", 2, category="Garden", strength=2.0),
    ]
    (spade,) = governed(offers(SPADE), rules, CATALOGUE).others
    assert spade.factor == 3
    assert [fact["code"] for fact in spade.said] == ["moved_up", "moved_down"]


@pytest.mark.parametrize(
    ("attributes", "value", "meant"),
    [
        ({"country": "UK"}, "UK", True),
        ({"country": "uk"}, "UK", False),
        ({"country": ["DE", "UK"]}, "UK", True),
        ({"country": True}, "yes", True),
        ({"country": False}, "yes", False),
        ({"country": 3}, "3", True),
        ({"country": 3.0}, "3", True),
        ({}, "UK", False),
    ],
)
def test_a_rule_is_for_the_customers_whose_attribute_has_the_value(
    attributes: dict[str, Any], value: str, meant: bool
) -> None:
    assert applies_to(rule("pin", attribute="country", value=value), attributes) is meant


def test_a_limit_for_a_category_goes_before_that_for_each_one() -> None:
    rules = [rule("cap", 1, at_most=1), rule("cap", 2, category="Home", at_most=2)]
    ranked = offers(CANDLE, LAMP, SPADE, SEEDS)
    caps = governed(ranked, rules, CATALOGUE).caps
    chosen = picked([], ranked, limit=10, caps=caps, diversity=0)
    assert products(chosen) == ["candle", "lamp", "spade"]


def test_pins_count_in_a_limit_and_are_not_taken_out_by_it() -> None:
    pinned, ranked = offers(CANDLE, LAMP), offers(record("vase", "Home"), SPADE)
    chosen = picked(pinned, ranked, limit=10, caps={"Home": 1}, diversity=0)
    assert products(chosen) == ["candle", "lamp", "spade"]


def test_products_without_a_category_are_not_limited() -> None:
    ranked = offers(record("a"), record("b"))
    assert products(picked([], ranked, limit=10, caps={"": 1}, diversity=0)) == ["a", "b"]


def test_the_list_is_no_longer_than_asked_pins_included() -> None:
    assert products(picked(offers(CANDLE, LAMP), offers(SPADE), limit=1, caps={}, diversity=0)) == ["candle"]


def test_diversity_brings_other_things_forward() -> None:
    mugs = [record(f"mug {number}", "Mugs", 10, name=f"Mug number {number}") for number in range(4)]
    ranked = offers(*mugs, SPADE)
    assert products(picked([], ranked, limit=3, caps={}, diversity=0)) == ["mug 0", "mug 1", "mug 2"]
    assert products(picked([], ranked, limit=3, caps={}, diversity=0.5))[:2] == ["mug 0", "spade"]
    assert products(picked([], ranked, limit=5, caps={}, diversity=1)).count("spade") == 1


def test_diversity_shuns_what_is_like_a_pinned_product() -> None:
    mugs = [record(f"mug {number}", "Mugs", 10, name=f"Mug {number}") for number in range(2)]
    chosen = picked(offers(mugs[0]), offers(mugs[1], SPADE), limit=2, caps={}, diversity=0.7)
    assert products(chosen) == ["mug 0", "spade"]


def test_likeness_is_made_of_category_price_band_and_words() -> None:
    red = record("1", "Mugs", 10, name="Red mug")
    assert alike(red, red) == 1
    assert alike(red, record("2", "Mugs", 30, name="Blue cup")) == 0.5
    assert alike(red, record("3", "Lamps", 12, name="Desk lamp")) == 0.15
    assert alike(red, record("4", "", None, name="Red lamp")) == pytest.approx(0.35 / 3)
    assert alike(record("5", "", None, name="红色马克杯"), record("6", "", None, name="蓝色马克杯")) > 0.1


def test_value_is_chance_times_margin_where_every_cost_is_known() -> None:
    cheap, dear = record("cheap", price=10, cost=2), record("dear", price=20, cost=19)
    found = offers(cheap, dear, SEEDS, scores=(0.1, 0.2, 0.3))
    assert priced(found) == "margin"
    assert [offer.value for offer in found] == pytest.approx([0.8, 0.2, None])


def test_value_is_chance_times_price_for_all_where_one_cost_is_not_known() -> None:
    found = offers(record("cheap", price=10, cost=2), record("dear", price=20), scores=(0.1, 0.2))
    assert priced(found) == "price"
    assert [offer.value for offer in found] == pytest.approx([1.0, 4.0])


def test_without_prices_nothing_has_a_value() -> None:
    found = offers(SEEDS)
    assert (priced(found), found[0].value) == ("", None)
