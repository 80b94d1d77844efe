"""The dry run of a Source: what a snapshot would hold or leave out, and which agents could learn from it."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, models
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from crm_data import reading
from crm_data.readiness import Requirement, missing, requirements
from crm_data.services.changes import later
from crm_data.source import Interactions, Source

KEY_LENGTH = 64  # of the column that outputs are stored under
OPTIONAL = ("product", "quantity", "amount", "basket", "channel", "text")


@dataclass
class EventsReport:
    """What one Interactions mapping yields."""

    model: str
    rows: int
    guests: int  # rows of nobody, or of somebody outside the Source's customers
    future: int
    undated: int
    first: dt.datetime | None
    last: dt.datetime | None
    kinds: dict[str, int]
    empty: dict[str, float]  # share of rows without a value, for each mapped column
    incremental: bool


@dataclass
class SourceReport:
    """What one tenant's rows look like through the Source."""

    tenant: str
    customers: int = 0
    nameless: int = 0
    products: int = 0
    nameless_products: int = 0
    events: list[EventsReport] = field(default_factory=list)
    ready: dict[str, list[str]] = field(default_factory=dict)  # agent → what is missing
    errors: list[str] = field(default_factory=list)


def inspect_source(source: Source, tenant: str = "") -> SourceReport:
    """Read counts, never rows, and change nothing."""
    report = SourceReport(tenant)
    with source.scope(tenant):
        try:
            _customers(source, report)
            _products(source, report)
            report.events = [_events(source, mapping, report) for mapping in source.interactions]
            for requirement in requirements():
                report.ready[requirement.agent] = _readiness(source, requirement)
        except DatabaseError as error:
            report.errors.append(f"The database refused to be read: {error}".strip())
    return report


def _customers(source: Source, report: SourceReport) -> None:
    every = reading.customers(source)
    report.customers = every.count()
    report.nameless = every.filter(Q(crm_name="") | Q(crm_name__isnull=True)).count()
    _long_keys("customers", every, report)


def _products(source: Source, report: SourceReport) -> None:
    every = reading.products(source)
    if every is not None:
        report.products = every.count()
        report.nameless_products = every.filter(Q(crm_name="") | Q(crm_name__isnull=True)).count()
        _long_keys("products", every, report)


def _long_keys(place: str, every: QuerySet[Any], report: SourceReport) -> None:
    long = every.annotate(crm_length=Length("crm_id")).filter(crm_length__gt=KEY_LENGTH).count()
    if long:
        report.errors.append(
            f"{place}: {long:,} keys are longer than {KEY_LENGTH} characters; name a shorter unique field."
        )


def _events(source: Source, mapping: Interactions, report: SourceReport) -> EventsReport:
    every = reading.events(source, mapping)
    found = reading.known(source, mapping, every)
    now = timezone.now()
    mapped = [name for name in OPTIONAL if getattr(mapping, name) is not None]
    facts = found.aggregate(
        rows=Count("pk"),
        future=Count("pk", filter=later(source, every, now)),
        undated=Count("pk", filter=Q(crm_at__isnull=True)),
        first=Min("crm_at"),
        last=Max("crm_at"),
        **{f"empty_{name}": Count("pk", filter=_blank(found, name)) for name in mapped},
    )
    _currencies(source, mapping, found, report)
    rows = facts["rows"]
    return EventsReport(
        model=mapping.model,
        rows=rows,
        guests=every.count() - rows,
        future=facts["future"],
        undated=facts["undated"],
        first=reading.to_utc(facts["first"], source),
        last=reading.to_utc(facts["last"], source),
        kinds={kind or "": count for kind, count in _counts(found, "crm_kind")},
        empty={name: facts[f"empty_{name}"] / rows if rows else 0.0 for name in mapped},
        incremental=mapping.changed is not None,
    )


def _blank(found: QuerySet[Any], name: str) -> Q:
    blank = Q(**{f"crm_{name}__isnull": True})
    if isinstance(found.query.annotations[f"crm_{name}"].output_field, models.TextField):
        blank |= Q(**{f"crm_{name}": ""})
    return blank


def _counts(found: QuerySet[Any], column: str) -> list[tuple[str, int]]:
    return list(
        found.values(column).annotate(crm_count=Count("pk")).order_by(column).values_list(column, "crm_count")
    )


def _currencies(source: Source, mapping: Interactions, found: QuerySet[Any], report: SourceReport) -> None:
    if mapping.currency is None:
        return
    for currency, rows in _counts(found, "crm_currency"):
        try:
            reading.rate(source, currency)
        except reading.UnknownCurrency as error:
            report.errors.append(f"{mapping.model}, {rows:,} rows: {error}")


def _readiness(source: Source, requirement: Requirement) -> list[str]:
    customers: set[str] = set()
    purchases = 0
    moments: list[dt.datetime] = []
    for mapping in source.interactions:
        every = reading.events(source, mapping)
        found = reading.known(source, mapping, every).filter(crm_kind__in=requirement.kinds)
        found = found.exclude(crm_at__isnull=True).exclude(later(source, every, timezone.now()))
        facts = found.aggregate(rows=Count("pk"), first=Min("crm_at"), last=Max("crm_at"))
        purchases += facts["rows"]
        customers.update(found.values_list("crm_customer", flat=True).distinct()[: requirement.customers])
        ends = (reading.to_utc(facts[end], source) for end in ("first", "last"))
        moments += [end for end in ends if end is not None]
    days = (max(moments) - min(moments)).days if moments else 0
    return missing(requirement, customers=len(customers), purchases=purchases, days=days)
