"""What customers' own lists say of one product: the reasons, and more customers for a user who has few."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.db.models import ExpressionWrapper, F, Func, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from crm_agents.models import Agent
from crm_agents.selectors import visible_live_scores
from crm_data.selectors import product_records, visible_customer_ids
from recommender.models import RecommendationSet
from recommender.reasons import products_named, reason_entries

BOUGHT = ("due", "repeat")  # reasons that tell what was bought of the product
OF_PRODUCT = ("popular", "rising", "season")  # reasons that are the same for every customer
FEW = 1_000  # customers of a user whose lists are looked through for a product


@dataclass(frozen=True)
class Caller:
    """A customer and the chance of buying a product.

    `times` it was bought so far, None where the scores do not say; `days_since` the last time.
    """

    customer: str
    chance: float
    times: int | None = None
    days_since: int | None = None


def listed_for(agent: Agent, user: AbstractBaseUser | AnonymousUser, product_id: str) -> list[Caller]:
    """Return a user's own customers whose list has the product.

    The scores name a product's likeliest customers of all; hardly one of them may be this user's. Nothing
    is looked through for who sees everybody, or very many.
    """
    ids = visible_customer_ids(user, tenant=agent.tenant)
    if ids is None or ids[: FEW + 1].count() > FEW:
        return []
    found = []
    for customer, item in _entries(_naming(visible_live_scores(agent, user), product_id), product_id):
        if item.get("score") is not None:
            told: Mapping[str, Any] = next(
                (each for each in item.get("reasons", []) if each.get("code") in BOUGHT), {}
            )
            found.append(Caller(customer, item["score"], told.get("times"), told.get("days_since")))
    return found


def reasons_of(agent: Agent, product_id: str, callers: Sequence[Caller]) -> dict[str, list[dict[str, str]]]:
    """Return each customer's reasons in words: those of the own list, or what was bought of the product."""
    facts: dict[str, list[dict[str, Any]]] = {caller.customer: [] for caller in callers}
    rows = RecommendationSet.objects.filter(scoring=agent.live_scoring_id, customer_id__in=list(facts))
    for customer, item in _entries(rows, product_id):
        told = item.get("reasons", [])
        facts[customer] = [reason for reason in told if reason.get("code") not in OF_PRODUCT] or told
    named = {name for reasons in facts.values() for name in products_named(reasons)}
    names = {key: record.name for key, record in product_records(named, tenant=agent.tenant).items()}
    return {
        caller.customer: reason_entries(facts[caller.customer], names) or _of_purchases(caller)
        for caller in callers
    }


def _of_purchases(caller: Caller) -> list[dict[str, str]]:
    if caller.times == 0:
        return [{"code": "never", "text": _("Has not bought it yet.")}]
    bought = {"times": caller.times, "usual_gap_days": None, "days_since": caller.days_since}
    return reason_entries([{"code": "repeat", **bought}], {})  # nothing where a fact is missing


def _entries(rows: QuerySet[Any], product_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (customer, entry of the product) of the lists that have it and are the model's own.

    What is popular says nothing of a customer. PostgreSQL takes the entry out of the list by itself.
    """
    rows = rows.filter(payload__source="model")
    if connections[rows.db].vendor == "postgresql":
        entry = Func(F("payload"), _PATH, _wanted(product_id), function="jsonb_path_query_first")
        entries = rows.annotate(entry=ExpressionWrapper(entry, JSONField()))
        yield from (
            (customer, item) for customer, item in entries.values_list("customer_id", "entry") if item
        )
        return
    for customer, payload in rows.values_list("customer_id", "payload"):
        for item in payload.get("items", []):
            if str(item["product"]) == product_id:
                yield customer, item
                break


_PATH = Func(template="'$.items[*] ? (@.product == $wanted)'::jsonpath")


def _wanted(product_id: str) -> Func:
    return Func(Value(product_id), template="jsonb_build_object('wanted', (%(expressions)s)::text)")


def _naming(rows: QuerySet[Any], product_id: str) -> QuerySet[Any]:
    """Leave out the rows that cannot have the product, as the database can tell."""
    if connections[rows.db].features.supports_json_field_contains:
        return rows.filter(payload__contains={"items": [{"product": product_id}]})
    forms = {json.dumps(product_id), json.dumps(product_id, ensure_ascii=False)}
    wanted = Q(pk__in=[])
    for form in forms:
        wanted |= Q(text__contains=f'"product": {form}')
    written: QuerySet[Any] = rows.annotate(text=Cast("payload", TextField()))
    return written.filter(wanted)
