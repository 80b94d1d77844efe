"""What many customers bought between two moments, summed by the database; read through the Source."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from crm_data import reading
from crm_data.selectors import get_source
from crm_data.source import Interactions, Source

SOLD, RETURNED = "purchase", "return"


@dataclass(frozen=True)
class VisitSum:
    """The lines of one customer, moment, kind and basket; `amount` is their sum in the Source's currency."""

    customer: str
    at: dt.datetime
    kind: str  # SOLD | RETURNED
    basket: str
    amount: float  # 0 where no amount is known


def visit_sums(
    customers: Sequence[str], *, since: dt.datetime, upto: dt.datetime, tenant: str = ""
) -> list[VisitSum]:
    """Return purchases and returns of these customers after `since`, up to `upto`. One query a mapping."""
    source = get_source()
    found: list[VisitSum] = []
    with source.scope(tenant):
        for rows in _rows(source, customers, since, upto):
            groups = (
                rows.filter(crm_kind__in=(SOLD, RETURNED))
                .values_list("crm_customer", "crm_at", "crm_kind", "crm_basket", "crm_currency")
                .annotate(crm_sum=Sum("crm_amount"))
            )
            for customer, at, kind, basket, currency, total in groups:
                moment = reading.to_utc(at, source)
                if moment is not None:
                    amount = _own(source, total, currency)
                    found.append(VisitSum(customer, moment, kind, basket or "", amount))
    return found


def bought_pairs(
    customers: Sequence[str], *, since: dt.datetime, upto: dt.datetime, tenant: str = ""
) -> set[tuple[str, str]]:
    """Return (customer, product) of what these customers bought after `since`, up to `upto`."""
    source = get_source()
    found: set[tuple[str, str]] = set()
    with source.scope(tenant):
        for rows in _rows(source, customers, since, upto):
            pairs = rows.filter(crm_kind=SOLD).values_list("crm_customer", "crm_product").distinct()
            found.update((customer, product) for customer, product in pairs if product)
    return found


def _rows(
    source: Source, customers: Sequence[str], since: dt.datetime, upto: dt.datetime
) -> Iterator[QuerySet[Any]]:
    for mapping in source.interactions:
        if not _may_sell(mapping):
            continue
        path = reading.customer_path(source, mapping)
        native = reading.native_keys(reading.model_of(mapping.model), path, customers)
        if native:
            rows = reading.events(source, mapping)
            first, last = (reading.in_type_of("crm_at", source, rows, each) for each in (since, upto))
            yield rows.filter(**{"crm_at__gt": first, "crm_at__lte": last, f"{path}__in": list(native)})


def _may_sell(mapping: Interactions) -> bool:
    """Whether the mapping may hold purchases or returns: its kind is one of them, or is told by a column."""
    return not isinstance(mapping.kind, str) or mapping.kind in (SOLD, RETURNED)


def _own(source: Source, total: float | None, currency: str | None) -> float:
    try:
        return 0.0 if total is None else total * reading.rate(source, currency)
    except reading.UnknownCurrency:
        return 0.0  # the snapshot refuses it with the remedy
