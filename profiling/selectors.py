"""Traits of one customer, computed from the Source's own events: no model, nothing stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Max
from django.utils import timezone

from crm_agents.models import Agent
from crm_data.selectors import (
    VisitRecord,
    bought_products,
    customer_visits,
    get_source,
    product_records,
)
from profiling.counting import money_of, most_frequent, order_of, orders_of, ranked

YEAR = timedelta(days=365)
FAVOURITES = 3


@dataclass(frozen=True)
class Favourite:
    """A category or product and the number of orders it was in."""

    name: str
    orders: int


@dataclass(frozen=True)
class Traits:
    """What the purchases of one customer say, counted to `as_of`.

    Money is in the Source's currency and None where the CRM keeps no amounts; an order is a basket, or
    a day's purchases where the CRM has no baskets.
    """

    as_of: datetime
    currency: str
    orders: int
    orders_last_year: int
    first_purchase: datetime | None
    last_purchase: datetime | None
    recency_days: int | None
    usual_gap_days: int | None  # median between the days of purchase; None below three such days
    spent: float | None
    spent_last_year: float | None
    average_basket: float | None
    returns: int
    returned: float | None
    products: int
    favourite_categories: tuple[Favourite, ...]
    favourite_products: tuple[Favourite, ...]
    interactions: dict[str, int]  # events by kind

    def as_json(self) -> dict[str, Any]:
        """Return the traits as JSON values, times in ISO form."""
        values = asdict(self)
        for name in ("as_of", "first_purchase", "last_purchase"):
            values[name] = values[name].isoformat() if values[name] else None
        return values


def customer_traits(customer_id: str, *, tenant: str = "", as_of: datetime | None = None) -> Traits:
    """Return the traits of one customer. Who may see the customer is the caller's question.

    `as_of` is by default the day that the live scores speak of, so that one page tells one story, or a
    later purchase; without live scores it is now. Events after it are not counted.
    """
    visits = customer_visits(customer_id, tenant=tenant)
    if as_of is None:
        as_of = _day_of_the_data(tenant, visits)
    bought = {
        (order_of(basket, at), product)
        for product, basket, at in bought_products(customer_id, upto=as_of, tenant=tenant)
    }
    return _traits([visit for visit in visits if visit.at <= as_of], bought, as_of, tenant)


def _day_of_the_data(tenant: str, visits: list[VisitRecord]) -> datetime:
    now = timezone.now()
    live: datetime | None = Agent.objects.filter(tenant=tenant).aggregate(at=Max("live_scoring__as_of"))["at"]
    if live is None:
        return now
    return max([live, *(visit.at for visit in visits if visit.at <= now)])


def _traits(visits: list[VisitRecord], bought: set[tuple[str, str]], as_of: datetime, tenant: str) -> Traits:
    purchases = [visit for visit in visits if visit.kind == "purchase"]
    returns = [visit for visit in visits if visit.kind == "return"]
    lately = [visit for visit in purchases if visit.at > as_of - YEAR]
    orders, spent = orders_of(purchases), money_of(purchases)
    last = max((visit.at for visit in purchases), default=None)
    return Traits(
        as_of=as_of,
        currency=get_source().currency,
        orders=len(orders),
        orders_last_year=len(orders_of(lately)),
        first_purchase=min((visit.at for visit in purchases), default=None),
        last_purchase=last,
        recency_days=(as_of - last).days if last else None,
        usual_gap_days=_usual_gap(purchases),
        spent=spent,
        spent_last_year=(money_of(lately) or 0.0) if spent is not None else None,
        average_basket=round(spent / len(orders), 2) if spent is not None and orders else None,
        returns=len(orders_of(returns)),
        returned=money_of(returns),
        products=len({product for _order, product in bought}),
        **_favourites(bought, tenant),
        interactions=dict(ranked(_kinds(visits))),
    )


def _kinds(visits: list[VisitRecord]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for visit in visits:
        kinds[visit.kind] += visit.lines
    return kinds


def _usual_gap(purchases: list[VisitRecord]) -> int | None:
    days: list[date] = sorted({timezone.localtime(visit.at).date() for visit in purchases})
    if len(days) < 3:
        return None
    return round(median((later - earlier).days for earlier, later in zip(days, days[1:], strict=False)))


def _favourites(bought: set[tuple[str, str]], tenant: str) -> dict[str, tuple[Favourite, ...]]:
    products = product_records({product for _order, product in bought}, tenant=tenant)
    names = {code: product.name or code for code, product in products.items()}
    categories = {
        (order, products[code].category)
        for order, code in bought
        if code in products and products[code].category
    }
    return {
        "favourite_categories": _top(category for _order, category in categories),
        "favourite_products": _top(names.get(code, code) for _order, code in bought),
    }


def _top(words: Iterable[str]) -> tuple[Favourite, ...]:
    return tuple(Favourite(name, orders) for name, orders in most_frequent(words)[:FAVOURITES])
