"""What the rules of the day make of one customer's list.

A rule for a product goes before one for its category: a pinned product stays where its category is
excluded. Factors of a product's and its category's rule multiply.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from crm_data.selectors import ProductRecord
from recommender.choosing.offer import RULE, Offer
from recommender.models import RecommendationRule, RuleAction

Moves = defaultdict[str, list[RecommendationRule]]


@dataclass(frozen=True)
class Governed:
    """A list after its rules: the pinned ones in their order, the others in theirs."""

    pinned: list[Offer]
    others: list[Offer]
    excluded: int = 0
    caps: Mapping[str, int] = field(default_factory=dict)  # by category, "" for every other one


def rules_on(day: dt.date, tenant: str) -> list[RecommendationRule]:
    """Return the rules of one day, in the order in which they are heeded; one query."""
    begun = Q(starts=None) | Q(starts__lte=day)
    not_over = Q(ends=None) | Q(ends__gte=day)
    return list(RecommendationRule.objects.filter(begun, not_over, tenant=tenant, active=True).order_by("id"))


def applies_to(rule: RecommendationRule, attributes: Mapping[str, Any]) -> bool:
    """Whether a rule is for a customer with these attributes."""
    return not rule.attribute or rule.value in texts_of(attributes.get(rule.attribute))


def texts_of(value: Any) -> set[str]:
    """Return the texts by which a rule may name an attribute's value: each one of a list, yes and no."""
    if value is None:
        return set()
    if isinstance(value, list | tuple):
        return {text for each in value for text in texts_of(each)}
    if isinstance(value, bool):
        return {"yes", "true"} if value else {"no", "false"}
    return {str(value), f"{value:g}"} if isinstance(value, float) else {str(value)}


def governed(
    offers: Iterable[Offer], rules: Sequence[RecommendationRule], catalogue: Mapping[str, ProductRecord]
) -> Governed:
    """Apply the rules that are for one customer; `catalogue` holds the products that they pin, too."""
    banned = {rule.product for rule in rules if rule.action == RuleAction.EXCLUDE and rule.product}
    shut = {rule.category for rule in rules if rule.action == RuleAction.EXCLUDE and not rule.product}
    pins: dict[str, RecommendationRule] = {}
    for rule in rules:
        if rule.action == RuleAction.PIN and rule.product not in banned:
            pins.setdefault(rule.product, rule)
    moves, moves_of = _moves(rules)
    others: list[Offer] = []
    found: dict[str, Offer] = {}
    excluded = 0
    for offer in offers:
        if offer.product in pins:
            found[offer.product] = offer
        elif offer.product in banned or offer.category in shut:
            excluded += 1
        else:
            others.append(_moved(offer, [*moves.get(offer.product, ()), *moves_of.get(offer.category, ())]))
    pinned = [
        _pinned(found.get(product) or Offer(catalogue[product], RULE), rule)
        for product, rule in pins.items()
        if _sold(catalogue.get(product))
    ]
    return Governed(pinned, others, excluded, _caps(rules))


def _sold(record: ProductRecord | None) -> bool:
    """Whether a product can be offered at all: one that is gone or sold out is not, pinned or not."""
    return record is not None and record.available is not False


def _pinned(offer: Offer, rule: RecommendationRule) -> Offer:
    offer.pinned = True
    offer.said.append(_fact("pinned", rule))
    return offer


def _moves(rules: Iterable[RecommendationRule]) -> tuple[Moves, Moves]:
    """Return the rules that move, by product and by category."""
    moves: Moves = defaultdict(list)
    moves_of: Moves = defaultdict(list)
    for rule in rules:
        if rule.action in (RuleAction.BOOST, RuleAction.BURY):
            (moves[rule.product] if rule.product else moves_of[rule.category]).append(rule)
    return moves, moves_of


def _moved(offer: Offer, rules: Iterable[RecommendationRule]) -> Offer:
    for rule in rules:
        up = rule.action == RuleAction.BOOST
        strength = rule.strength or 1.0
        offer.factor *= strength if up else 1 / strength
        offer.said.append(_fact("moved_up" if up else "moved_down", rule))
    return offer


def _caps(rules: Iterable[RecommendationRule]) -> dict[str, int]:
    found: dict[str, int] = {}
    for rule in rules:
        if rule.action == RuleAction.CAP and rule.at_most is not None:
            found[rule.category] = min(rule.at_most, found.get(rule.category, rule.at_most))
    return found


def _fact(code: str, rule: RecommendationRule) -> dict[str, Any]:
    return {"code": code, "rule": rule.pk, "until": rule.ends, "note": rule.note}
