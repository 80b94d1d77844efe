"""Which rules cannot stand beside each other: those that say opposite things of one product at one time."""

import datetime as dt

from django.utils.translation import gettext as _

from recommender.choosing.wish import SHOWN
from recommender.models import RecommendationRule, RuleAction

MOST_PINS = SHOWN  # a list that is pinned from top to bottom recommends nothing more

PIN, BOOST, BURY, EXCLUDE, CAP = (
    RuleAction.PIN,
    RuleAction.BOOST,
    RuleAction.BURY,
    RuleAction.EXCLUDE,
    RuleAction.CAP,
)
OPPOSITES: dict[str, frozenset[str]] = {
    PIN: frozenset({BURY, EXCLUDE}),
    BOOST: frozenset({BURY, EXCLUDE}),
    BURY: frozenset({PIN, BOOST}),
    EXCLUDE: frozenset({PIN, BOOST}),
    CAP: frozenset(),
}


def clash(rule: RecommendationRule) -> str:
    """Say which rule contradicts this one, or does the same already, and what to do; "" where none does."""
    others = RecommendationRule.objects.filter(
        tenant=rule.tenant, active=True, product=rule.product, category=rule.category
    ).exclude(pk=rule.pk)
    for other in others.order_by("id"):
        if not (same_days(rule, other) and same_customers(rule, other)):
            continue
        facts = {"number": other.pk, "rule": other}
        if other.action in OPPOSITES[rule.action]:
            text = _(
                "Rule %(number)s (%(rule)s) says the opposite on some of these days for some of these "
                "customers. End or change that one, or choose other days or customers."
            )
            return text % facts
        if other.action == rule.action:
            text = _(
                "Rule %(number)s (%(rule)s) does this already on some of these days for some of these "
                "customers. Change that one, or choose other days or customers."
            )
            return text % facts
    return ""


def most_pinned(rule: RecommendationRule) -> int:
    """Return how many others are pinned at most on one of the days of a pin, for the same customers."""
    pins = RecommendationRule.objects.filter(tenant=rule.tenant, active=True, action=RuleAction.PIN)
    others = [
        other for other in pins.exclude(pk=rule.pk) if same_days(rule, other) and same_customers(rule, other)
    ]
    first = rule.starts or dt.date.min
    # The number only grows on a day on which one of them starts.
    days = {first, *(max(other.starts or dt.date.min, first) for other in others)}
    return max(sum(_on(other, day) for other in others) for day in days)


def same_days(first: RecommendationRule, second: RecommendationRule) -> bool:
    return _begins(first) <= _ends(second) and _begins(second) <= _ends(first)


def same_customers(first: RecommendationRule, second: RecommendationRule) -> bool:
    """Whether a customer may be meant by both: two values of one attribute keep them apart."""
    apart = first.attribute and first.attribute == second.attribute and first.value != second.value
    return not apart


def _on(rule: RecommendationRule, day: dt.date) -> bool:
    return _begins(rule) <= day <= _ends(rule)


def _begins(rule: RecommendationRule) -> dt.date:
    return rule.starts or dt.date.min


def _ends(rule: RecommendationRule) -> dt.date:
    return rule.ends or dt.date.max
