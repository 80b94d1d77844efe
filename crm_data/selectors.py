"""What is known of customers, products and events: plain records, read through the Source."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Case, Count, F, Q, QuerySet, Sum, When
from django.db.models.functions import Abs
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm_data import conf, reading
from crm_data.clock import minute
from crm_data.models import InteractionKind, Snapshot
from crm_data.source import Many, Source
from handoff.errors import HandoffError

AnyUser = AbstractBaseUser | AnonymousUser


class CustomerNotFound(LookupError):
    """No such customer, or not one that the user may see: the two are not told apart."""


class SnapshotRemoved(HandoffError):
    """The files of a snapshot are gone; its row stays for what refers to it."""

    def __init__(self, snapshot: Snapshot) -> None:
        assert snapshot.removed_at is not None  # noqa: S101  what the caller found
        super().__init__(
            _(
                "The files of the snapshot of %(made)s were deleted on %(removed)s, as nothing in use needed "
                "them. Start a run, which takes a new snapshot."
            )
            % {"made": minute(snapshot.created_at), "removed": minute(snapshot.removed_at)}
        )


@dataclass(frozen=True)
class CustomerRecord:
    """One customer as the host knows it."""

    tenant: str
    id: str
    name: str
    email: str
    since: dt.datetime | None
    owners: tuple[str, ...]  # user names
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProductRecord:
    """One product as the host knows it; `available` is None where the host does not say."""

    id: str
    name: str
    category: str
    price: float | None
    cost: float | None = None
    available: bool | None = None


@dataclass(frozen=True)
class EventRecord:
    """One dated event; `amount` is in the Source's currency, or None where that cannot be said."""

    at: dt.datetime
    kind: str
    basket: str
    product: str | None
    quantity: float | None
    amount: float | None
    channel: str
    text: str

    @property
    def kind_label(self) -> str:
        return InteractionKind.label_of(self.kind)


@dataclass(frozen=True)
class TextRecord:
    """One event that carries text; `key` names the row it came from."""

    key: str
    customer: str
    at: dt.datetime
    text: str


@dataclass(frozen=True)
class VisitRecord:
    """The events of one moment, kind and basket; `amount` is the sum of their amounts, signs ignored."""

    at: dt.datetime
    kind: str
    basket: str
    lines: int
    amount: float | None


def get_source() -> Source:
    """Return the Source that `CRM_AGENTS["SOURCE"]` names. Raises ImportError."""
    source: Source = import_string(conf.setting("SOURCE"))()
    return source


def snapshot_folder(snapshot: Snapshot) -> Path:
    """Return the folder of a snapshot's files; the row keeps it relative to the root.

    Raises SnapshotRemoved where retention has deleted them.
    """
    if snapshot.removed_at is not None:
        raise SnapshotRemoved(snapshot)
    return conf.root() / snapshot.folder


def visible_customers(user: AnyUser, *, tenant: str = "") -> QuerySet[Any]:
    """Return the host's customers that `user` may see, with `crm_id` and `crm_name`."""
    source = get_source()
    with source.scope(tenant):
        return source.visible_to(user, reading.customers(source))


def visible_customer_ids(user: AnyUser, *, tenant: str = "") -> QuerySet[Any] | None:
    """Return a subquery of ids for `customer_id__in=`, or None where the user may see every customer."""
    source = get_source()
    with source.scope(tenant):
        every = reading.customers(source)
        visible = source.visible_to(user, every)
    return None if visible is every else visible.values("crm_id")


def get_customer(user: AnyUser, customer_id: str, *, tenant: str = "") -> CustomerRecord:
    """Return one customer. Raises CustomerNotFound when there is none or `user` may not see it."""
    source = get_source()
    mapping = source.customers
    model = reading.model_of(mapping.model)
    with source.scope(tenant):
        native = reading.native_keys(model, mapping.key, [customer_id])
        visible = source.visible_to(user, reading.customers(source))
        found = visible.filter(**{f"{mapping.key}__in": list(native)}).first() if native else None
        if found is None:
            raise CustomerNotFound(f"There is no customer {customer_id!r}.")
        return _customer_record(source, tenant, found.pk)


def find_customer(customer_id: str, *, tenant: str = "") -> CustomerRecord | None:
    """Return one customer for a service that acts on nobody's behalf, or None where there is none."""
    source = get_source()
    with source.scope(tenant):
        every = reading.customers(source)
        found = _by_keys(every, source.customers.model, source.customers.key, [customer_id]).first()
        return None if found is None else _customer_record(source, tenant, found.pk)


def customer_names(ids: Iterable[str], *, tenant: str = "") -> dict[str, str]:
    """Return the names of those of `ids` that exist."""
    source = get_source()
    with source.scope(tenant):
        found = _by_keys(reading.customers(source), source.customers.model, source.customers.key, ids)
        return {key: name or key for key, name in found.values_list("crm_id", "crm_name")}


def customer_attributes(ids: Iterable[str], *, tenant: str = "") -> dict[str, dict[str, Any]]:
    """Return the attributes of those of `ids` that exist; one query, and one for each to-many attribute."""
    source = get_source()
    mapping = source.customers
    with source.scope(tenant):
        found = _by_keys(reading.customers(source), mapping.model, mapping.key, ids)
        rows = list(reading.customer_rows(source, found).values(*reading.customer_columns(source)))
        pks = [row["pk"] for row in rows]
        many = [path for path in mapping.attributes if isinstance(path, Many)]
        values = {path.path: reading.many_values(source, path, pks) for path in many}
    return {
        row["crm_id"]: reading.attributes(
            reading.declared(source, row),
            {name: of.get(row["pk"], []) for name, of in values.items()},
            row["crm_json"],
        )
        for row in rows
    }


def customer_owners(ids: Iterable[str], *, tenant: str = "") -> dict[str, list[str]]:
    """Return the user names of the sales reps of those of `ids` that have any; one query."""
    source = get_source()
    mapping = source.customers
    if mapping.owner is None:
        return {}
    name = f"{mapping.owner}__{get_user_model().USERNAME_FIELD}"
    with source.scope(tenant):
        found = _by_keys(reading.customers(source), mapping.model, mapping.key, ids)
        pairs = list(found.filter(**{f"{mapping.owner}__isnull": False}).values_list("crm_id", name))
    owners: dict[str, list[str]] = {}
    for key, owner in sorted(pairs):
        owners.setdefault(key, []).append(str(owner))
    return owners


def customer_ids(*, tenant: str = "") -> list[str]:
    """Return the ids of every customer, in the host's own order."""
    source = get_source()
    with source.scope(tenant):
        pages = reading.pages(reading.customers(source), ["crm_id"], size=5_000)
        return [row[0] for page in pages for row in page if row[0]]


def existing_customer_ids(user: AnyUser, ids: Iterable[str], *, tenant: str = "") -> set[str]:
    """Return those of `ids` that exist and that `user` may see."""
    source = get_source()
    mapping = source.customers
    with source.scope(tenant):
        visible = source.visible_to(user, reading.customers(source))
        return set(_by_keys(visible, mapping.model, mapping.key, ids).values_list("crm_id", flat=True))


def recent_texts(*, tenant: str = "", kind: str | None = None, limit: int) -> list[TextRecord]:
    """Return the newest events with text up to now, of one kind or of any, newest first."""
    source = get_source()
    found: list[TextRecord] = []
    with source.scope(tenant):
        for mapping in source.interactions:
            if mapping.text is None:
                continue
            rows = reading.known(source, mapping, reading.events(source, mapping))
            upto = reading.in_type_of("crm_at", source, rows, timezone.now())
            rows = rows.filter(crm_at__lte=upto).exclude(Q(crm_text=None) | Q(crm_text=""))
            if kind is not None:
                rows = rows.filter(crm_kind=kind)
            columns = rows.order_by("-crm_at", "-pk").values_list("pk", "crm_customer", "crm_at", "crm_text")
            found += [
                TextRecord(f"{mapping.model.lower()}:{pk}"[:64], customer, _moment(source, at), text)
                for pk, customer, at, text in columns[:limit]
            ]
    found.sort(key=lambda text: text.at, reverse=True)
    return found[:limit]


def product_records(ids: Iterable[str], *, tenant: str = "") -> dict[str, ProductRecord]:
    """Return those of `ids` that exist."""
    source = get_source()
    with source.scope(tenant):
        every = reading.products(source)
        if every is None or source.products is None:
            return {}
        found = _by_keys(every, source.products.model, source.products.key, ids)
        columns = found.values_list(
            "crm_id", "crm_name", "crm_category", "crm_price", "crm_cost", "crm_available"
        )
        says = source.products.available is not None
        return {
            key: ProductRecord(key, name or key, category or "", price, cost, available if says else None)
            for key, name, category, price, cost, available in columns
        }


def customer_events(customer_id: str, *, tenant: str = "", limit: int | None = None) -> list[EventRecord]:
    """Return a customer's events up to now, newest first."""
    source = get_source()
    found: list[EventRecord] = []
    with source.scope(tenant):
        for rows in _rows_of(source, customer_id, timezone.now()):
            columns = rows.order_by("-crm_at", "-pk").values_list(
                *map("crm_{}".format, reading.EVENT_COLUMNS)
            )
            found += [_event_record(source, row) for row in (columns if limit is None else columns[:limit])]
    found.sort(key=lambda event: event.at, reverse=True)
    return found[:limit]


def customer_visits(customer_id: str, *, tenant: str = "") -> list[VisitRecord]:
    """Return a customer's events up to now, those of one moment, kind and basket added up by the database.

    Unlike `customer_events` it stays quick for an account that collects everybody's purchases.
    """
    source = get_source()
    found: list[VisitRecord] = []
    with source.scope(tenant):
        for rows in _rows_of(source, customer_id, timezone.now()):
            groups = rows.values_list("crm_at", "crm_kind", "crm_basket", "crm_currency").annotate(
                crm_lines=Count("pk"), crm_sum=Sum(Abs("crm_amount"))
            )
            found += [
                VisitRecord(
                    _moment(source, at), kind or "", basket or "", lines, _own(source, total, currency)
                )
                for at, kind, basket, currency, lines, total in groups
            ]
    return found


def bought_products(
    customer_id: str, *, upto: dt.datetime, since: dt.datetime | None = None, tenant: str = ""
) -> list[tuple[str, str, dt.datetime | None]]:
    """Return each product of each purchase once: product, basket, and the moment where there is no basket.

    With `since`, purchases before it are left out.
    """
    source = get_source()
    found: list[tuple[str, str, dt.datetime | None]] = []
    with source.scope(tenant):
        for rows in _rows_of(source, customer_id, upto):
            if since is not None:
                rows = rows.filter(crm_at__gte=reading.in_type_of("crm_at", source, rows, since))
            moment = Case(When(Q(crm_basket="") | Q(crm_basket=None), then=F("crm_at")), default=None)
            bought = rows.filter(crm_kind="purchase").annotate(crm_moment=moment)
            columns = bought.values_list("crm_product", "crm_basket", "crm_moment").distinct()
            found += [
                (product, basket or "", reading.to_utc(at, source))
                for product, basket, at in columns
                if product
            ]
    return found


def popular_products(
    *, since: dt.datetime, upto: dt.datetime, limit: int, tenant: str = ""
) -> list[tuple[str, int]]:
    """Return the products that the most customers bought after `since` and up to `upto`, with how many.

    The number of customers first, then the product decides their order.
    """
    source = get_source()
    buyers: dict[str, int] = {}
    with source.scope(tenant):
        for mapping in source.interactions:
            if not mapping.product or source.products is None:
                continue
            rows = reading.known(source, mapping, reading.events(source, mapping))
            after, until = (reading.in_type_of("crm_at", source, rows, moment) for moment in (since, upto))
            rows = rows.filter(crm_kind="purchase", crm_at__gt=after, crm_at__lte=until)
            rows = rows.exclude(crm_product=None)
            counts = rows.values("crm_product").annotate(crm_buyers=Count("crm_customer", distinct=True))
            top = counts.order_by("-crm_buyers", "crm_product").values_list("crm_product", "crm_buyers")
            for product, number in top[:limit]:
                buyers[product] = buyers.get(product, 0) + number
    return sorted(buyers.items(), key=lambda each: (-each[1], each[0]))[:limit]


def _rows_of(source: Source, customer_id: str, upto: dt.datetime) -> Iterator[QuerySet[Any]]:
    """Yield each mapping's events of one customer."""
    for mapping in source.interactions:
        path = reading.customer_path(source, mapping)
        native = reading.native_keys(reading.model_of(mapping.model), path, [customer_id])
        if native:
            rows = reading.events(source, mapping)
            limit = reading.in_type_of("crm_at", source, rows, upto)
            yield rows.filter(**{"crm_at__lte": limit, f"{path}__in": list(native)})


def _by_keys(every: QuerySet[Any], model: str, key: str, ids: Iterable[str]) -> QuerySet[Any]:
    native = reading.native_keys(reading.model_of(model), key, ids)
    return every.filter(**{f"{key}__in": list(native)})


def _customer_record(source: Source, tenant: str, pk: Any) -> CustomerRecord:
    mapping = source.customers
    found = reading.customer_rows(source, reading.customers(source).filter(pk=pk))
    row = found.values(*reading.customer_columns(source)).get()
    many = [path for path in mapping.attributes if isinstance(path, Many)]
    lists = {path.path: reading.many_values(source, path, [pk]).get(pk, []) for path in many}
    return CustomerRecord(
        tenant=tenant,
        id=row["crm_id"],
        name=row["crm_name"] or row["crm_id"],
        email=row["crm_email"] or "",
        since=reading.to_utc(row["crm_since"], source),
        owners=_owners(source, pk),
        attributes=reading.attributes(reading.declared(source, row), lists, row["crm_json"]),
    )


def _owners(source: Source, pk: Any) -> tuple[str, ...]:
    owner = source.customers.owner
    if owner is None:
        return ()
    name = f"{owner}__{get_user_model().USERNAME_FIELD}"
    found = reading.rows(source.customers).filter(pk=pk, **{f"{owner}__isnull": False})
    return tuple(sorted(found.values_list(name, flat=True)))


def _event_record(source: Source, row: tuple[Any, ...]) -> EventRecord:
    _customer, at, kind, basket, product, quantity, amount, currency, channel, text = row
    return EventRecord(
        _moment(source, at),
        kind or "",
        basket or "",
        product or None,
        quantity,
        _own(source, amount, currency),
        channel or "",
        text or "",
    )


def _moment(source: Source, at: Any) -> dt.datetime:
    moment = reading.to_utc(at, source)
    assert moment is not None  # noqa: S101  compared with now in the query, so not null
    return moment


def _own(source: Source, amount: float | None, currency: str | None) -> float | None:
    """Return an amount in the Source's own currency."""
    try:
        return None if amount is None else amount * reading.rate(source, currency)
    except reading.UnknownCurrency:
        return None  # the snapshot refuses it with the remedy; a page still shows the event
