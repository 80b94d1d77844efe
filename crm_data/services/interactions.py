"""Bulk write of interactions into the built-in tables, all rows or none."""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from crm_data import news
from crm_data.builtin import BuiltInSource
from crm_data.models import Interaction, Product
from crm_data.reading import UnknownCurrency, rate
from crm_data.selectors import AnyUser, get_source, visible_customers
from crm_data.suppression import Suppressed, erased_message

FIELDS = (
    "customer",
    "kind",
    "at",
    "product",
    "quantity",
    "amount",
    "currency",
    "basket",
    "channel",
    "text",
    "key",
)
REQUIRED = FIELDS[:3]
EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
LARGEST = 1e12
LENGTHS = {"customer": 64, "product": 64, "basket": 64, "channel": 32, "text": 20_000}
BATCH = 2_000


class SourceIsReadOnly(Exception):
    """The Source reads a host's own tables; interactions are entered there."""


class InteractionsRejected(Exception):
    """Nothing was stored. `errors` says of each bad value: index of the row, field, value, message."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(_("%(count)d values were refused; nothing was stored.") % {"count": len(errors)})
        self.errors = errors


class _BadValue(Exception):
    pass


@dataclass
class _Errors:
    found: list[dict[str, Any]] = field(default_factory=list)

    def add(self, index: int, name: str, value: Any, message: str) -> None:
        shown = value if isinstance(value, str | int | float | bool | None) else repr(value)
        self.found.append({"index": index, "field": name, "value": shown, "message": message})

    def raise_any(self) -> None:
        if self.found:
            raise InteractionsRejected(sorted(self.found, key=lambda error: int(error["index"])))


def record_interactions(user: AnyUser, rows: list[dict[str, Any]]) -> int:
    """Store `rows`, all or none, and return how many were new.

    A row has `customer` (code), `kind`, `at` (ISO time with offset) and optionally `product` (code),
    `quantity`, `amount` (of the line), `currency`, `basket`, `channel`, `text` and `key`, a UUID of the
    caller's by which a second delivery of the same row is recognised and not stored again.
    Raises SourceIsReadOnly, or InteractionsRejected with an entry per bad value.
    """
    if not isinstance(get_source(), BuiltInSource):
        raise SourceIsReadOnly(
            _("Interactions are read from the host's own tables (CRM_AGENTS['SOURCE']); enter them there.")
        )
    errors = _Errors()
    values = [_checked(index, row, errors) for index, row in enumerate(rows)]
    _refuse_repeated_keys(values, errors)
    errors.raise_any()
    customers = {row["customer"] for row in values}
    interactions = _resolved(user, values, errors)
    errors.raise_any()
    try:
        return _store(interactions, customers)
    except IntegrityError:
        # Another delivery of the same keys came in between; now they are seen.
        return _store(interactions, customers)


def _checked(index: int, row: Any, errors: _Errors) -> dict[str, Any]:
    """Return the typed values of one row; what is bad goes to `errors`."""
    if not isinstance(row, dict):
        errors.add(index, "", row, _("A row must be an object with the fields %s.") % ", ".join(FIELDS))
        return {}
    for name in row.keys() - set(FIELDS):
        errors.add(index, str(name), row[name], _("Unknown field; the fields are %s.") % ", ".join(FIELDS))
    values: dict[str, Any] = {}
    for name in FIELDS:
        value = row.get(name)
        if value is None or value == "":
            if name in REQUIRED:
                errors.add(index, name, value, _("This field is required."))
            continue
        try:
            values[name] = _CHECKS[name](name, value)
        except _BadValue as error:
            errors.add(index, name, value, str(error))
    return values


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _BadValue(_("Give a text in quotes."))
    if "\0" in value:
        raise _BadValue(_("Remove the NUL byte."))
    if not value.isprintable() and any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise _BadValue(_("Remove the lone surrogate; send UTF-8."))
    if len(value) > LENGTHS[name]:
        raise _BadValue(_("At most %d characters.") % LENGTHS[name])
    return value.strip() if name != "text" else value


def _kind(name: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\w[\w-]{0,31}", value):
        raise _BadValue(_("Give one word of at most 32 letters, e.g. purchase, return, email, call."))
    return value.lower()


def _at(name: str, value: Any) -> dt.datetime:
    try:
        at = value if isinstance(value, dt.datetime) else parse_datetime(value)
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise _BadValue(_("Give an ISO 8601 time with its offset, e.g. 2026-03-31T14:05:00+01:00."))
    if at > timezone.now():
        raise _BadValue(_("The time lies in the future; an interaction has happened already."))
    if at < EARLIEST:
        raise _BadValue(_("The time lies before the year 1900."))
    return at.astimezone(dt.UTC)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _BadValue(_("Give a number without quotes."))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) < LARGEST:
        raise _BadValue(_("Give a finite number below 10^12."))
    if number < 0:
        raise _BadValue(_("Give it without a minus; what comes back is of kind return."))
    return number


def _amount(name: str, value: Any) -> Decimal:
    return Decimal(f"{_number(name, value):.2f}")


def _currency(name: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise _BadValue(_("Give an ISO 4217 code such as GBP."))
    try:
        rate(get_source(), value)  # one row without a rate would stop every snapshot
    except UnknownCurrency as error:
        raise _BadValue(str(error)) from error
    return value


def _key(name: str, value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (AttributeError, TypeError, ValueError):
        raise _BadValue(_("Give a UUID.")) from None


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "customer": _text,
    "kind": _kind,
    "at": _at,
    "product": _text,
    "quantity": _number,
    "amount": _amount,
    "currency": _currency,
    "basket": _text,
    "channel": _text,
    "text": _text,
    "key": _key,
}


def _refuse_repeated_keys(values: list[dict[str, Any]], errors: _Errors) -> None:
    first: dict[UUID, int] = {}
    for index, row in enumerate(values):
        key = row.get("key")
        if key is None:
            continue
        if key in first:
            message = _("Row %d has the same key; give every row its own.") % first[key]
            errors.add(index, "key", str(key), message)
        else:
            first[key] = index


def _resolved(user: AnyUser, values: list[dict[str, Any]], errors: _Errors) -> list[Interaction]:
    """Turn codes into rows of the tables; an invisible customer is as unknown as an absent one."""
    visible = visible_customers(user)
    customers = _ids(visible, (row["customer"] for row in values))
    products = _ids(Product.objects.all(), (row["product"] for row in values if "product" in row))
    erased = Suppressed().erased_among({row["customer"] for row in values})
    now = timezone.now()
    found = []
    for index, row in enumerate(values):
        customer, product = row.pop("customer"), row.pop("product", None)
        if customer in erased:
            errors.add(index, "customer", customer, erased_message())
        elif customer not in customers:
            errors.add(index, "customer", customer, _("There is no such customer."))
        if product is not None and product not in products:
            errors.add(index, "product", product, _("There is no such product; add it first."))
        found.append(
            Interaction(
                customer_id=customers.get(customer, 0),
                product_id=products.get(product),
                changed_at=now,
                **row,
            )
        )
    return found


def _ids(rows: Any, codes: Iterable[str]) -> dict[str | None, int]:
    wanted = sorted(set(codes))
    found: dict[str | None, int] = {}
    for start in range(0, len(wanted), BATCH):
        slice_ = wanted[start : start + BATCH]
        found.update(rows.filter(code__in=slice_).values_list("code", "pk"))
    return found


def _store(interactions: list[Interaction], customers: set[str]) -> int:
    """Store what is not there yet, and tell of it.

    Raises InteractionsRejected where a known key names another row.
    """
    errors = _Errors()
    with transaction.atomic():
        known = Interaction.objects.in_bulk([row.key for row in interactions if row.key], field_name="key")
        fresh = []
        for index, row in enumerate(interactions):
            stored = known.get(row.key) if row.key else None
            if stored is None:
                row.pk = None  # an attempt that was rolled back may have left one
                fresh.append(row)
            elif not _same(stored, row):
                message = _("This key names another interaction already; give a new one its own key.")
                errors.add(index, "key", str(row.key), message)
        errors.raise_any()
        Interaction.objects.bulk_create(fresh, batch_size=BATCH)
        if fresh:
            news.tell(customers)
    return len(fresh)


def _same(stored: Interaction, sent: Interaction) -> bool:
    names = (
        "customer_id",
        "product_id",
        "kind",
        "at",
        "quantity",
        "amount",
        "currency",
        "basket",
        "channel",
        "text",
    )
    return all(getattr(stored, name) == getattr(sent, name) for name in names)
