"""Making, changing and deleting rules: one that is wrong is refused by field, value and remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.models import Agent
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.agents import get_agent
from crm_data.choices import attribute_names, categories_among, has_attribute
from crm_data.selectors import product_records
from recommender.conf import NAME
from recommender.models import RecommendationRule, RuleAction
from recommender.services.clashes import MOST_PINS, clash, most_pinned

STRENGTH = 2.0  # where a rule that moves names none
STRONGEST = 1000.0
MOVES = (RuleAction.BOOST, RuleAction.BURY)
FIELDS = (
    *("action", "product", "category", "strength", "at_most", "attribute", "value", "starts", "ends"),
    *("active", "note"),
)


@dataclass(frozen=True)
class Refusal:
    """One value of a rule that cannot be; the message says what to give instead."""

    field: str
    value: Any
    message: str


class RuleRejected(Exception):
    """A rule that cannot be kept."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__(" ".join(f"{refusal.field}: {refusal.message}" for refusal in refusals))
        self.refusals = refusals


def save_rule(rule: RecommendationRule, *, user: audit.Actor = None) -> RecommendationRule:
    """Store a new or changed rule. Raises RuleRejected, and then nothing is stored."""
    with transaction.atomic():
        refused = refusals(rule)
        if refused:
            raise RuleRejected(refused)
        before = None if rule._state.adding else RecommendationRule.objects.filter(pk=rule.pk).first()
        if before is None:
            rule.created_by = audit.known(user)
        elif _facts(before) == _facts(rule):
            return rule
        rule.save()
        action = AuditAction.RULE_MADE if before is None else AuditAction.RULE_CHANGED
        _record(rule, action, user, before)
    return rule


def delete_rule(rule: RecommendationRule, *, user: audit.Actor = None) -> None:
    """Delete a rule; the audit keeps what it was."""
    with transaction.atomic():
        _record(rule, AuditAction.RULE_DELETED, user, None)
        rule.delete()


def refusals(rule: RecommendationRule) -> list[Refusal]:
    """Return what is wrong with a rule; call it in the transaction that stores the rule.

    The tenant's rules are locked until the transaction ends, so that two that contradict each other are
    not stored at once. A move without a strength is given the usual one.
    """
    Agent.objects.select_for_update().get(pk=get_agent(NAME, tenant=rule.tenant).pk)
    if rule.action in MOVES and rule.strength is None:
        rule.strength = STRENGTH
    found = [*_target(rule), *_figures(rule), *_customers(rule), *_days(rule)]
    if not found and rule.active:  # an ended rule may speak of what is gone
        found = [*_known(rule), *_beside_others(rule)]
    return found


def _target(rule: RecommendationRule) -> Iterator[Refusal]:
    if rule.action not in RuleAction.values:
        known = ", ".join(RuleAction.values)
        yield Refusal("action", rule.action, _("Choose one of: %(names)s.") % {"names": known})
    elif rule.action == RuleAction.PIN and not rule.product:
        yield Refusal("product", rule.product, _("Say which product is pinned."))
    elif rule.action == RuleAction.CAP and rule.product:
        text = _("A limit is for a category; leave the product empty.")
        yield Refusal("product", rule.product, text)
    elif rule.product and rule.category:
        text = _("A rule is for a product or for a category; leave one of them empty.")
        yield Refusal("category", rule.category, text)
    elif rule.action != RuleAction.CAP and not rule.product and not rule.category:
        yield Refusal("product", rule.product, _("Say which product or which category it is about."))


def _figures(rule: RecommendationRule) -> Iterator[Refusal]:
    if rule.action in MOVES:
        if not 1 < (rule.strength or 0) <= STRONGEST:
            text = _("Choose a factor above 1 and up to %(most)g.") % {"most": STRONGEST}
            yield Refusal("strength", rule.strength, text)
    elif rule.strength is not None:
        text = _("Only rules that move products up or down have a strength; leave it empty.")
        yield Refusal("strength", rule.strength, text)
    if rule.action == RuleAction.CAP:
        if not rule.at_most:
            text = _("Say how many products of the category one list may have, at least 1.")
            yield Refusal("at_most", rule.at_most, text)
    elif rule.at_most is not None:
        text = _("Only a limit for a category has a number; leave it empty.")
        yield Refusal("at_most", rule.at_most, text)


def _customers(rule: RecommendationRule) -> Iterator[Refusal]:
    if bool(rule.attribute) != bool(rule.value):
        missing = "value" if rule.attribute else "attribute"
        text = _("Give an attribute and its value, or leave both empty for every customer.")
        yield Refusal(missing, "", text)
    elif rule.attribute and rule.active and not has_attribute(rule.attribute, tenant=rule.tenant):
        known = ", ".join(attribute_names(tenant=rule.tenant)) or "–"
        text = _("No customer has an attribute %(name)r. Known are: %(known)s.")
        yield Refusal("attribute", rule.attribute, text % {"name": rule.attribute, "known": known})


def _days(rule: RecommendationRule) -> Iterator[Refusal]:
    if rule.starts and rule.ends and rule.ends < rule.starts:
        text = _("The last day is before the first, %(first)s; choose a later one.")
        yield Refusal("ends", rule.ends.isoformat(), text % {"first": rule.starts.isoformat()})
    elif rule.active and rule.ends and rule._state.adding and rule.ends < timezone.localdate():
        yield Refusal("ends", rule.ends.isoformat(), _("This day is over; choose a later one."))


def _known(rule: RecommendationRule) -> Iterator[Refusal]:
    if rule.product and rule.product not in product_records([rule.product], tenant=rule.tenant):
        text = _("There is no product %(id)r in the catalogue; give the number of one that there is.")
        yield Refusal("product", rule.product, text % {"id": rule.product})
    elif rule.category and not categories_among({rule.category}, tenant=rule.tenant):
        text = _("No product has the category %(name)r; write it as the products have it.")
        yield Refusal("category", rule.category, text % {"name": rule.category})


def _beside_others(rule: RecommendationRule) -> Iterator[Refusal]:
    contradiction = clash(rule)
    if contradiction:
        yield Refusal("action", rule.action, contradiction)
    elif rule.action == RuleAction.PIN and most_pinned(rule) >= MOST_PINS:
        text = _(
            "%(most)d products are pinned already on one of these days, as many as a list shows. End one of "
            "these rules, or choose other days or customers."
        )
        yield Refusal("product", rule.product, text % {"most": MOST_PINS})


def _record(
    rule: RecommendationRule, action: str, user: audit.Actor, before: RecommendationRule | None
) -> None:
    facts = _facts(rule)
    if before is not None:
        was = _facts(before)
        facts = {name: [was[name], value] for name, value in facts.items() if was[name] != value}
    detail = {"rule": rule.pk, "changed" if before is not None else "said": facts}
    audit.record(get_agent(NAME, tenant=rule.tenant), action, rule, user=user, detail=detail)


def _facts(rule: RecommendationRule) -> dict[str, Any]:
    """Return the rule as JSON values."""
    days = {name: day.isoformat() if (day := getattr(rule, name)) else None for name in ("starts", "ends")}
    return {**{name: getattr(rule, name) for name in FIELDS}, **days}
