"""Turns a Source's declarations into querysets. Nothing else in the project reads a host's tables.

Annotations carry the prefix `crm_`, so that they never meet a field of the host.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from crm_data.paths import expression, follow, join, text_key
from crm_data.source import Customers, Interactions, Many, Market, Path, Products, Source

EVENT_COLUMNS = (
    "customer",
    "at",
    "kind",
    "basket",
    "product",
    "quantity",
    "amount",
    "currency",
    "channel",
    "text",
)


class UnknownModel(LookupError):
    """A label that names no installed model."""


class UnknownCurrency(ValueError):
    """An amount in a currency that the Source gives no rate for."""

    def __init__(self, currency: str, source: Source) -> None:
        super().__init__(
            f"An amount is in {currency}, but {type(source).__name__} keeps its amounts in "
            f"{source.currency} and names no rate for {currency}. Add it: "
            f'rates = {{"{currency}": <{source.currency} for one {currency}>}}.'
        )


def model_of(label: str) -> type[models.Model]:
    """Return a host's model by its label. Raises UnknownModel."""
    try:
        return apps.get_model(label)
    except LookupError as error:
        raise UnknownModel(error.args[0]) from error
    except ValueError as error:
        raise UnknownModel(f"{label!r} is not of the form app_label.ModelName.") from error


def rows(mapping: Customers | Products | Interactions | Market) -> QuerySet[Any]:
    """Return the host's rows of one mapping, unordered, through the host's default manager."""
    every: QuerySet[Any] = model_of(mapping.model)._default_manager.order_by()
    return every if mapping.where is None else every.filter(mapping.where)


def customers(source: Source) -> QuerySet[Any]:
    """Return the host's customers with `crm_id` and `crm_name`, both text."""
    mapping = source.customers
    found: QuerySet[Any] = rows(mapping).annotate(
        crm_id=text_key(model_of(mapping.model), mapping.key), crm_name=_text(mapping.name)
    )
    return found


CUSTOMER_COLUMNS = ("pk", "crm_id", "crm_name", "crm_email", "crm_since", "crm_json")


def customer_columns(source: Source) -> list[str]:
    """Return the columns of `customer_rows`: CUSTOMER_COLUMNS, then one for each single-valued attribute."""
    return [*CUSTOMER_COLUMNS, *(f"crm_attribute_{number}" for number in range(len(_single(source))))]


def customer_rows(source: Source, found: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate `customers` with all of `customer_columns`."""
    mapping = source.customers
    records: QuerySet[Any] = found.annotate(
        crm_email=_text(mapping.email),
        crm_since=Value(None, models.DateTimeField()) if mapping.since is None else expression(mapping.since),
        crm_json=Value(None, models.JSONField())
        if mapping.json_attributes is None
        else F(mapping.json_attributes),
        **{f"crm_attribute_{number}": F(path) for number, path in enumerate(_single(source))},
    )
    return records


def declared(source: Source, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the single-valued attributes of one of `customer_rows`, by their paths."""
    return {path: row[f"crm_attribute_{number}"] for number, path in enumerate(_single(source))}


def pages(found: QuerySet[Any], columns: Sequence[str], *, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows of `columns` page by page; no query stays open between pages."""
    last = None
    while True:
        page = found.order_by("pk") if last is None else found.order_by("pk").filter(pk__gt=last)
        rows = list(page.values_list(*columns, "pk")[:size])
        if rows:
            yield [row[:-1] for row in rows]
        if len(rows) < size:
            return
        last = rows[-1][-1]


def many_values(source: Source, many: Many, pks: Iterable[Any]) -> dict[Any, list[Any]]:
    """Return the values of a to-many attribute by the customer's primary key."""
    found: dict[Any, list[Any]] = {}
    pairs = rows(source.customers).filter(pk__in=list(pks)).values_list("pk", many.path)
    for pk, value in pairs:
        if value is not None:
            found.setdefault(pk, []).append(value)
    return found


def products(source: Source) -> QuerySet[Any] | None:
    """Return the host's products with `crm_` id, name, category, price, cost and available."""
    mapping = source.products
    if mapping is None:
        return None
    found: QuerySet[Any] = rows(mapping).annotate(
        crm_id=text_key(model_of(mapping.model), mapping.key),
        crm_name=_text(mapping.name),
        crm_category=_text(mapping.category),
        crm_price=_number(mapping.price),
        crm_cost=_number(mapping.cost),
        crm_available=Value(True) if mapping.available is None else expression(mapping.available),
    )
    return found


def market(source: Source) -> QuerySet[Any] | None:
    """Return the host's market rows with crm_series, crm_scope, crm_date, crm_value and crm_known_ahead."""
    mapping = source.market
    if mapping is None:
        return None
    found: QuerySet[Any] = rows(mapping).annotate(
        crm_series=_text(mapping.series),
        crm_scope=Value("") if mapping.scope is None else _text(mapping.scope),
        crm_date=Cast(expression(mapping.date), models.DateField()),
        crm_value=_number(mapping.value),
        crm_known_ahead=Value(False) if mapping.known_ahead is None else expression(mapping.known_ahead),
    )
    return found


def events(source: Source, mapping: Interactions) -> QuerySet[Any]:
    """Return one mapping's rows with a `crm_<column>` for each of EVENT_COLUMNS.

    Rows without a customer are still in here; `known` leaves them out.
    """
    model = model_of(mapping.model)
    product = source.products
    found: QuerySet[Any] = rows(mapping).annotate(
        crm_customer=text_key(model, customer_path(source, mapping)),
        crm_at=expression(mapping.at),
        crm_kind=_text(mapping.kind if isinstance(mapping.kind, Combinable) else Value(mapping.kind)),
        crm_basket=_text(mapping.basket),
        crm_product=text_key(model, join(mapping.product, product.key))
        if mapping.product and product
        else _text(None),
        crm_quantity=_number(mapping.quantity),
        crm_amount=_number(mapping.amount),
        crm_currency=_text(mapping.currency),
        crm_channel=_text(mapping.channel),
        crm_text=_text(mapping.text),
    )
    return found


def known(source: Source, mapping: Interactions, found: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out the rows of guests and of people who are not among the Source's customers."""
    found = found.filter(**{f"{customer_path(source, mapping)}__isnull": False})
    among = rows(source.customers)
    if among.query.where:
        found = found.filter(**{f"{mapping.customer}__in": among})
    return found


def customer_path(source: Source, mapping: Interactions) -> str:
    return join(mapping.customer, source.customers.key)


def in_type_of(annotation: str, source: Source, found: QuerySet[Any], moment: dt.datetime) -> Any:
    """Return `moment` as a value to compare the annotation with: date, naive or aware time."""
    local = moment.astimezone(ZoneInfo(source.timezone or "UTC"))
    if not isinstance(found.query.annotations[annotation].output_field, models.DateTimeField):
        return local.date()
    return moment if settings.USE_TZ else local.replace(tzinfo=None)


def to_utc(value: dt.date | dt.datetime | None, source: Source) -> dt.datetime | None:
    """Return a host's date or time as a moment; naive ones are read in `Source.timezone`."""
    if value is None:
        return None
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(source.timezone or "UTC"))
    return value.astimezone(dt.UTC)


def rate(source: Source, currency: str | None) -> float:
    """Return the factor from `currency` to the Source's own. Raises UnknownCurrency."""
    if not currency or currency == source.currency:
        return 1.0
    try:
        return source.rates[currency]
    except KeyError:
        raise UnknownCurrency(currency, source) from None


def native_keys(model: type[models.Model], path: str, texts: Iterable[str]) -> dict[Any, str]:
    """Map keys in the type of their column to the text they are known by; what cannot be one is left out."""
    field = _value_field(follow(model, path).field)
    found: dict[Any, str] = {}
    for text in texts:
        try:
            value = field.to_python(text)
            if isinstance(field, models.IntegerField):
                field.run_validators(value)  # a number beyond the column's range
        except (ValidationError, ValueError, TypeError, OverflowError):
            continue
        if value is not None and str(value) == text and "\0" not in text:
            found[value] = text
    return found


def plain(value: Any) -> Any:
    """Return an attribute's value as JSON knows it: str, number, bool or None."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def attributes(
    declared: Mapping[str, Any], lists: Mapping[str, list[Any]], own: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Merge a customer's attributes, the unknown ones left out; a JSON object's entries come last."""
    merged: dict[str, Any] = {**declared, **lists}
    for name, value in (own or {}).items():
        merged[str(name)] = value
    cleaned: dict[str, Any] = {}
    for name, value in merged.items():
        if isinstance(value, list | tuple):
            cleaned[name] = sorted(str(plain(item)) for item in value if item is not None)
        elif not isinstance(value, dict) and plain(value) is not None:
            cleaned[name] = plain(value)
    return cleaned


def _value_field(field: Any) -> Any:
    while getattr(field, "is_relation", False):
        field = field.target_field
    return field


def _single(source: Source) -> list[str]:
    return [path for path in source.customers.attributes if isinstance(path, str)]


def _text(path: Path | None) -> Combinable:
    return Cast(Value(None) if path is None else expression(path), models.TextField())


def _number(path: Path | None) -> Combinable:
    return Cast(Value(None) if path is None else expression(path), models.FloatField())
