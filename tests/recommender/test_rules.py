"""Making rules: what is refused, what is kept, and what the audit says of it."""

import datetime as dt
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection

from crm_agents.models import AuditEntry
from crm_data.models import Customer, Product
from recommender.choosing.effect import without_effect
from recommender.models import RecommendationRule
from recommender.services.rules import RuleRejected, delete_rule, save_rule

pytestmark = pytest.mark.django_db

TODAY = dt.date(2026, 11, 23)


@pytest.fixture(autouse=True)
def shop() -> Any:
    for code in ("P1", "P2"):
        Product.objects.create(code=code, name=code, category="Home")
    Product.objects.create(code="P3", name="P3", category="Garden", available=False)
    Customer.objects.create(code="C1", name="One", country="UK", attributes={"branch": "gifts"})
    with time_machine.travel(dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC), tick=False):
        yield


def make(action: str, user: User | None = None, **values: Any) -> RecommendationRule:
    return save_rule(RecommendationRule(action=action, **values), user=user)


def refused(action: str, **values: Any) -> list[tuple[str, str]]:
    with pytest.raises(RuleRejected) as raised:
        make(action, **values)
    return [(refusal.field, refusal.message) for refusal in raised.value.refusals]


def test_a_rule_is_kept_with_who_made_it_and_the_audit_says_so(manager: User) -> None:
    rule = make("boost", manager, product="P1", note="Too many of them")
    assert (rule.strength, rule.created_by) == (2.0, manager)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.user) == ("rule.made", "move up: P1", manager)
    assert entry.detail["rule"] == rule.pk
    assert entry.detail["said"]["product"] == "P1"


def test_a_change_and_a_deletion_are_audited_and_no_change_is_not(manager: User) -> None:
    rule = make("boost", product="P1")
    save_rule(rule, user=manager)
    rule.strength, rule.ends = 3.0, dt.date(2026, 12, 24)
    save_rule(rule, user=manager)
    delete_rule(rule, user=manager)
    made, changed, deleted = AuditEntry.objects.order_by("id")
    assert changed.detail["changed"] == {"strength": [2.0, 3.0], "ends": [None, "2026-12-24"]}
    assert (deleted.action, deleted.detail["said"]["product"]) == ("rule.deleted", "P1")
    assert not RecommendationRule.objects.exists()
    assert made.user is None


@pytest.mark.parametrize(
    ("action", "values", "field", "message"),
    [
        ("sell", {"product": "P1"}, "action", "Choose one of: pin, boost, bury, exclude, cap."),
        ("pin", {"category": "Home"}, "product", "Say which product is pinned."),
        ("boost", {}, "product", "Say which product or which category it is about."),
        (
            "bury",
            {"product": "P1", "category": "Home"},
            "category",
            "A rule is for a product or for a category; leave one of them empty.",
        ),
        (
            "cap",
            {"product": "P1", "at_most": 2},
            "product",
            "A limit is for a category; leave the product empty.",
        ),
        (
            "cap",
            {"category": "Home"},
            "at_most",
            "Say how many products of the category one list may have, at least 1.",
        ),
        (
            "exclude",
            {"product": "P1", "at_most": 1},
            "at_most",
            "Only a limit for a category has a number; leave it empty.",
        ),
        (
            "boost",
            {"product": "P1", "strength": 1},
            "strength",
            "Choose a factor above 1 and up to 1000.",
        ),
        (
            "boost",
            {"product": "P1", "strength": float("nan")},
            "strength",
            "Choose a factor above 1 and up to 1000.",
        ),
        (
            "pin",
            {"product": "P1", "strength": 2},
            "strength",
            "Only rules that move products up or down have a strength; leave it empty.",
        ),
        (
            "pin",
            {"product": "P9"},
            "product",
            "There is no product 'P9' in the catalogue; give the number of one that there is.",
        ),
        (
            "exclude",
            {"category": "home"},
            "category",
            "No product has the category 'home'; write it as the products have it.",
        ),
        (
            "pin",
            {"product": "P1", "attribute": "country"},
            "value",
            "Give an attribute and its value, or leave both empty for every customer.",
        ),
        (
            "pin",
            {"product": "P1", "attribute": "size", "value": "large"},
            "attribute",
            "No customer has an attribute 'size'. Known are: branch, country.",
        ),
        (
            "pin",
            {"product": "P1", "starts": TODAY, "ends": dt.date(2026, 11, 22)},
            "ends",
            "The last day is before the first, 2026-11-23; choose a later one.",
        ),
        (
            "pin",
            {"product": "P1", "ends": dt.date(2026, 11, 22)},
            "ends",
            "This day is over; choose a later one.",
        ),
    ],
)
def test_a_wrong_rule_is_refused_by_field_with_the_remedy(
    action: str, values: dict[str, Any], field: str, message: str
) -> None:
    assert refused(action, **values) == [(field, message)]
    assert not RecommendationRule.objects.exists()
    assert not AuditEntry.objects.exists()


OPPOSITE = (
    "Rule {} (pin: P1) says the opposite on some of these days for some of these customers. End or change "
    "that one, or choose other days or customers."
)


@pytest.mark.parametrize("action", ["exclude", "bury"])
def test_a_pinned_product_is_not_excluded_or_moved_down_at_the_same_time(action: str) -> None:
    pin = make("pin", product="P1", starts=TODAY, ends=dt.date(2026, 12, 24))
    assert refused(action, product="P1", starts=dt.date(2026, 12, 24)) == [
        ("action", OPPOSITE.format(pin.pk))
    ]
    make(action, product="P1", starts=dt.date(2026, 12, 25))
    make(action, product="P2")


def test_moving_up_and_down_and_two_limits_contradict_each_other() -> None:
    make("boost", category="Home")
    assert [field for field, _ in refused("bury", category="Home")] == ["action"]
    assert [field for field, _ in refused("exclude", category="Home")] == ["action"]
    cap = make("cap", category="Home", at_most=2)
    assert refused("cap", category="Home", at_most=3) == [
        (
            "action",
            f"Rule {cap.pk} (at most so many of a category: Home) does this already on some of these days "
            "for some of these customers. Change that one, or choose other days or customers.",
        )
    ]
    make("cap", at_most=3)
    make("bury", product="P1")


def test_rules_for_different_values_of_one_attribute_do_not_meet() -> None:
    make("pin", product="P1", attribute="country", value="UK")
    make("exclude", product="P1", attribute="country", value="France")
    assert [field for field, _ in refused("exclude", product="P1", attribute="branch", value="gifts")] == [
        "action"
    ]
    assert [field for field, _ in refused("exclude", product="P1")] == ["action"]


def test_a_rule_that_is_off_contradicts_nothing_and_may_not_be_switched_on() -> None:
    make("pin", product="P1")
    off = make("exclude", product="P1", active=False)
    off.active = True
    with pytest.raises(RuleRejected):
        save_rule(off)
    off.refresh_from_db()
    assert off.active is False


def test_no_more_is_pinned_than_a_list_shows() -> None:
    Product.objects.bulk_create(Product(code=f"N{number}", name="New") for number in range(12))
    for number in range(10):
        make("pin", product=f"N{number}", starts=TODAY, ends=dt.date(2026, 12, 24))
    assert refused("pin", product="N10") == [
        (
            "product",
            "10 products are pinned already on one of these days, as many as a list shows. End one of these "
            "rules, or choose other days or customers.",
        )
    ]
    make("pin", product="N10", starts=dt.date(2026, 12, 25))


def test_a_rule_without_effect_says_why() -> None:
    rules = [
        make("pin", product="P1"),
        make("exclude", product="P2", active=False),
        make("boost", product="P2", starts=dt.date(2026, 12, 1)),
        make("pin", product="P3"),
        make("bury", category="Garden"),
        make("exclude", category="Home", attribute="branch", value="gifts"),
    ]
    found = without_effect(rules, tenant="")
    assert [found[rule.pk] for rule in rules] == [
        "",
        "It is switched off.",
        "It starts on Dec. 1, 2026.",
        "The product is not available now.",
        "",
        "",
    ]
    Product.objects.filter(code="P1").delete()
    Product.objects.update(category="Other")
    Customer.objects.update(attributes={})
    found = without_effect(rules, tenant="")
    assert found[rules[0].pk] == "The product is no longer in the catalogue."
    assert found[rules[4].pk] == "No product has this category any more."
    Product.objects.update(category="Home")
    assert without_effect(rules, tenant="")[rules[5].pk] == "No customer has this attribute any more."
    with time_machine.travel(dt.datetime(2027, 1, 1, tzinfo=dt.UTC)):
        ended = RecommendationRule(pk=99, action="pin", product="P2", ends=dt.date(2026, 12, 24))
        assert without_effect([ended], tenant="")[99] == "It ended on Dec. 24, 2026."


def test_a_rule_of_a_deleted_product_can_still_be_ended() -> None:
    rule = make("pin", product="P1")
    Product.objects.filter(code="P1").delete()
    rule.active = False
    assert save_rule(rule).active is False


@pytest.mark.django_db(transaction=True)
def test_of_two_contradictory_rules_that_come_at_once_one_is_kept() -> None:
    both = Barrier(2)
    refusals: list[RuleRejected] = []

    def come(action: str) -> None:
        both.wait()
        try:
            make(action, product="P1")
        except RuleRejected as error:
            refusals.append(error)
        finally:
            connection.close()

    threads = [Thread(target=come, args=(action,)) for action in ("pin", "exclude")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RecommendationRule.objects.count() == 1
    assert len(refusals) == 1
