"""Product → best customers: whom to call about it, among those whom the user may see."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from crm_agents.answers import provenance
from crm_agents.models import Agent
from crm_agents.selectors import without_control
from crm_data.selectors import (
    ProductRecord,
    customer_attributes,
    customer_names,
    customer_owners,
    existing_customer_ids,
    get_source,
    visible_customer_ids,
)
from recommender.choosing.offer import MODEL, Offer
from recommender.choosing.rules import applies_to, rules_on
from recommender.choosing.value import priced
from recommender.models import ProductAudience, RecommendationRule, RuleAction
from recommender.products.found import relations_of
from recommender.products.listed import Caller, listed_for, reasons_of
from recommender.products.related import about
from recommender.products.why import how_ranked, why_no_callers, why_not_ranked

CALLERS = 50
SHORT = 10  # callers of a user, below which the user's own lists are looked through
MOST_CALLERS = 200

User = AbstractBaseUser | AnonymousUser


def callers_for(agent: Agent, user: User, product: ProductRecord, *, limit: int = CALLERS) -> dict[str, Any]:
    """Return the customers likeliest to buy a product, as JSON values; `note` explains what is unusual.

    Left out are customers whom the user may not see, who are gone, who belong to a control group, and those
    for whom a rule excludes the product.
    """
    relations = relations_of(agent, product.id)
    note, basis = why_not_ranked(agent, relations), ""
    items: list[dict[str, Any]] = []
    if relations is not None:
        everybody = _audience(agent, product.id)
        rules = _excluding(product, agent.tenant)
        ruled_out = any(not rule.attribute for rule in rules)
        callers = [] if ruled_out else _callable(agent, user, product, everybody, rules, limit)
        items, basis = _described(agent, product, callers)
        named = why_no_callers(relations, len(everybody), ruled_out=ruled_out)
        note = how_ranked(product, relations) if items else named
    return {
        "agent": agent.name,
        **about(product),
        "value_of": basis or None,
        "currency": get_source().currency,
        "items": items,
        "note": note,
        **provenance(agent),
    }


def _audience(agent: Agent, product_id: str) -> list[Caller]:
    """Merge the shards of the live scores, the likeliest first."""
    rows = ProductAudience.objects.filter(scoring=agent.live_scoring_id, key=product_id)
    found = [
        Caller(customer, chance, times or 0, days_since)
        for row in rows
        for customer, chance, times, days_since in row.payload.get("customers", [])
        if chance is not None
    ]
    return sorted(found, key=lambda caller: (-caller.chance, caller.customer))


def _callable(
    agent: Agent,
    user: User,
    product: ProductRecord,
    everybody: list[Caller],
    rules: list[RecommendationRule],
    limit: int,
) -> list[Caller]:
    """Return those who may be called, the likeliest first; from the user's own lists where they are few."""
    if visible_customer_ids(user, tenant=agent.tenant) is None:
        found = list(islice(_present(agent, everybody, rules, limit), limit))
    else:
        seen = existing_customer_ids(user, [caller.customer for caller in everybody], tenant=agent.tenant)
        found = [caller for caller in everybody if caller.customer in seen]
        if len(found) < SHORT:
            known = {caller.customer for caller in found}
            more = listed_for(agent, user, product.id)
            found += [caller for caller in more if caller.customer not in known]
            found.sort(key=lambda caller: (-caller.chance, caller.customer))
        found = _allowed(agent, found, rules)[:limit]
    return found


def _present(
    agent: Agent, everybody: list[Caller], rules: list[RecommendationRule], limit: int
) -> Iterator[Caller]:
    """Yield those whom the CRM still has and who may be called; looks no further than is asked for."""
    for begin in range(0, len(everybody), limit):
        part = _allowed(agent, everybody[begin : begin + limit], rules)
        there = customer_names([caller.customer for caller in part], tenant=agent.tenant)
        yield from (caller for caller in part if caller.customer in there)


def _allowed(agent: Agent, callers: list[Caller], rules: list[RecommendationRule]) -> list[Caller]:
    """Leave out the control group, and those of whom a rule says that the product is not for them."""
    allowed = set(without_control(agent, [caller.customer for caller in callers]))
    if rules:
        attributes = customer_attributes(allowed, tenant=agent.tenant)
        allowed = {
            each for each in allowed if not any(applies_to(rule, attributes.get(each, {})) for rule in rules)
        }
    return [caller for caller in callers if caller.customer in allowed]


def _excluding(product: ProductRecord, tenant: str) -> list[RecommendationRule]:
    """Return today's rules by which the product is not recommended, to some customers or to all.

    A pin of the product itself goes before an exclusion of its category, as in customers' lists.
    """
    today = rules_on(timezone.localdate(), tenant)
    pinned = any(rule.action == RuleAction.PIN and rule.product == product.id for rule in today)
    return [
        rule
        for rule in today
        if rule.action == RuleAction.EXCLUDE
        and (
            rule.product == product.id
            or (not rule.product and not pinned and rule.category == product.category)
        )
    ]


def _described(
    agent: Agent, product: ProductRecord, callers: Iterable[Caller]
) -> tuple[list[dict[str, Any]], str]:
    callers = list(callers)
    ids = [caller.customer for caller in callers]
    names = customer_names(ids, tenant=agent.tenant)
    owners = customer_owners(ids, tenant=agent.tenant)
    why = reasons_of(agent, product.id, callers)
    offers = [Offer(product, MODEL, caller.chance) for caller in callers]
    basis = priced(offers)
    items = [
        {
            "customer_id": caller.customer,
            "name": names.get(caller.customer, caller.customer),
            "owners": owners.get(caller.customer, []),
            "chance": caller.chance,
            "value": None if offer.value is None else round(offer.value, 2),
            "times": caller.times,
            "days_since": caller.days_since,
            "reasons": why[caller.customer],
        }
        for caller, offer in zip(callers, offers, strict=True)
    ]
    return items, basis
