"""System checks of the Source: what is wrong with a mapping, and the fix in the hint."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldError
from django.db import models

from crm_data import conf
from crm_data.paths import BadPath, follow, join, names_in
from crm_data.reading import UnknownModel, model_of
from crm_data.selectors import get_source
from crm_data.source import Customers, Interactions, Many, Market, Products, Source

Mapping = Customers | Products | Interactions | Market
PATHS = {
    Customers: ("key", "name", "email", "since", "json_attributes", "where"),
    Products: ("key", "name", "category", "price", "cost", "available", "where"),
    Interactions: (
        *("customer", "product", "at", "quantity", "amount", "currency", "basket", "channel", "text"),
        *("changed", "kind", "where"),
    ),
    Market: ("series", "date", "value", "scope", "known_ahead", "where"),
}
TIMES = {Customers: ("since",), Products: (), Interactions: ("at", "changed"), Market: ()}


@register("crm_data")
def check_source(app_configs: Iterable[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the Source that the settings name."""
    path = conf.setting("SOURCE")
    try:
        source = get_source()
    except (ImportError, TypeError) as error:
        return [
            _error(
                "E001",
                f'CRM_AGENTS["SOURCE"] is {path!r}, which cannot be loaded: {error}',
                'Give the dotted path of a class: "project.crm_source.CRM".',
            )
        ]
    return check(source)


def check(source: Source) -> list[CheckMessage]:
    """Check a Source's declarations against the installed models; no database is asked."""
    if not isinstance(getattr(source, "customers", None), Customers):
        return [
            _error(
                "E002",
                f"{_name(source)} does not say who the customers are.",
                'Add customers = Customers("app.Model", name="…").',
            )
        ]
    found: list[CheckMessage] = []
    for place, mapping in declared(source):
        found += _mapping(source, place, mapping)
    if not found:  # what follows needs paths that can be followed
        found += [*_keys(source), *_owner(source), *_related(source), *_times(source)]
    return [*found, *_currency(source), *_zone(source)]


def declared(source: Source) -> list[tuple[str, Mapping]]:
    """Return every mapping with the place where it stands, e.g. `interactions[0]`."""
    places: list[tuple[str, Mapping | None]] = [
        ("customers", source.customers),
        ("products", source.products),
    ]
    places += [(f"interactions[{number}]", each) for number, each in enumerate(source.interactions)]
    places.append(("market", source.market))
    return [(place, mapping) for place, mapping in places if mapping is not None]


def _mapping(source: Source, place: str, mapping: Mapping) -> Iterator[CheckMessage]:
    where = f"{_name(source)}.{place}"
    try:
        model = model_of(mapping.model)
    except UnknownModel as error:
        yield _error(
            "E003",
            f"{where} names the model {mapping.model!r}: {error}",
            "Write app_label.ModelName of an installed app; `manage.py crm_source suggest` lists candidates.",
        )
        return
    for field in PATHS[type(mapping)]:
        value = getattr(mapping, field)
        if value is not None and not (field == "kind" and isinstance(value, str)):
            gathered = getattr(value, "contains_aggregate", False) and not isinstance(mapping, Interactions)
            many = field == "where" or gathered
            yield from _paths(model, f"{where}.{field}", value, many_allowed=many)
    for attribute in getattr(mapping, "attributes", ()):
        many = isinstance(attribute, Many)
        path = attribute.path if isinstance(attribute, Many) else attribute
        yield from _paths(model, f"{where}.attributes", path, many_allowed=many)


def _paths(
    model: type[models.Model], where: str, value: Any, *, many_allowed: bool
) -> Iterator[CheckMessage]:
    for path in names_in(value):
        try:
            target = follow(model, path)
        except BadPath as error:
            yield _error("E004", f"{where}: {error}", error.hint)
            continue
        if target.to_many and not many_allowed:
            yield _error(
                "E005",
                f"{where}: the path {path!r} leads from one {model._meta.label} to many rows "
                "and would multiply them.",
                f'As an attribute of customers, write Many("{path}"); for a name or a price, one of them: '
                f'Min("{path}"). For interactions, name the model at the many end and start there.',
            )


def _keys(source: Source) -> Iterator[CheckMessage]:
    for place, mapping in declared(source):
        if isinstance(mapping, Customers | Products) and not _unique(model_of(mapping.model), mapping.key):
            yield _error(
                "E006",
                f"{_name(source)}.{place}.key: {mapping.key!r} of {mapping.model} is not unique, "
                "so two of them would be taken for one.",
                'Name a field with unique=True, or leave key at its default "pk".',
            )


def _unique(model: type[models.Model], key: str) -> bool:
    names = key.split("__")
    prefixes = ["__".join(names[: number + 1]) for number in range(len(names))]
    return all(_one_to_one(model, prefix) for prefix in prefixes[:-1]) and _alone(model, key)


def _one_to_one(model: type[models.Model], path: str) -> bool:
    return bool(getattr(follow(model, path).field, "one_to_one", False))


def _alone(model: type[models.Model], key: str) -> bool:
    field = follow(model, key).field
    if getattr(field, "unique", False):
        return True
    return any(
        isinstance(each, models.UniqueConstraint) and each.condition is None and each.fields == (field.name,)
        for each in field.model._meta.constraints
    )


def _owner(source: Source) -> Iterator[CheckMessage]:
    path = source.customers.owner
    if path is None:
        return
    where = f"{_name(source)}.customers.owner"
    model = model_of(source.customers.model)
    try:
        target = follow(model, path).field
    except BadPath as error:
        yield _error("E004", f"{where}: {error}", error.hint)
        return
    user = get_user_model()
    if not (getattr(target, "is_relation", False) and issubclass(user, target.related_model)):  # type: ignore[arg-type]
        yield _error(
            "E007",
            f"{where}: {path!r} does not lead to {user._meta.label}, so nobody would own a customer.",
            "Name a foreign key or a many-to-many to the user model "
            "(employee__user, say), or leave owner out: then every user with access sees every customer.",
        )


def _related(source: Source) -> Iterator[CheckMessage]:
    for place, mapping in declared(source):
        if not isinstance(mapping, Interactions):
            continue
        yield from _leads_to(source, place, mapping, "customer", source.customers.model)
        if mapping.product is not None and source.products is None:
            yield _error(
                "E008",
                f"{_name(source)}.{place}.product is {mapping.product!r}, but the Source has no products.",
                'Add products = Products("app.Model", name="…"), or leave product out.',
            )
        elif mapping.product is not None and source.products is not None:
            yield from _leads_to(source, place, mapping, "product", source.products.model)


def _leads_to(
    source: Source, place: str, mapping: Interactions, name: str, label: str
) -> Iterator[CheckMessage]:
    path = getattr(mapping, name)
    field = follow(model_of(mapping.model), path).field
    related = field.related_model if getattr(field, "is_relation", False) else None
    wanted = model_of(label)
    key = source.customers.key if name == "customer" else source.products.key if source.products else "pk"
    if related is None or not issubclass(wanted, related):
        yield _error(
            "E008",
            f"{_name(source)}.{place}.{name}: {path!r} does not lead to {wanted._meta.label}.",
            f"Name the foreign key itself, not one of its fields: the key ({key!r}) is appended.",
        )
        return
    try:
        follow(model_of(mapping.model), join(path, key))
    except BadPath as error:
        yield _error("E004", f"{_name(source)}.{place}.{name}: {error}", error.hint)


def _times(source: Source) -> Iterator[CheckMessage]:
    for place, mapping in declared(source):
        for name in TIMES[type(mapping)]:
            value = getattr(mapping, name)
            if value is None:
                continue
            where = f"{_name(source)}.{place}.{name}"
            try:
                kind = _type_of(mapping, value)
            except FieldError as error:
                yield _error("E004", f"{where}: {error}", "Name a date or a date and time.")
                continue
            if not isinstance(kind, models.DateField):
                yield _error(
                    "E009",
                    f"{where}: {value!r} is a {type(kind).__name__}, not a date or a time.",
                    "Name a DateField or DateTimeField.",
                )
            elif not source.timezone and not (isinstance(kind, models.DateTimeField) and settings.USE_TZ):
                yield _error(
                    "E010",
                    f"{where}: {value!r} holds {_naive(kind)} and the time zone is left open.",
                    'Add the zone in which they were written: timezone = "Europe/London".',
                )


def _type_of(mapping: Mapping, value: Any) -> Any:
    if isinstance(value, str):
        return follow(model_of(mapping.model), value).field
    found = model_of(mapping.model)._default_manager.annotate(crm_checked=value)
    return found.query.annotations["crm_checked"].output_field


def _naive(kind: Any) -> str:
    return "times without a zone (USE_TZ is off)" if isinstance(kind, models.DateTimeField) else "dates"


def _currency(source: Source) -> Iterator[CheckMessage]:
    amounts = any(mapping.amount is not None for mapping in source.interactions)
    prices = source.products is not None and source.products.price is not None
    if not source.currency and (amounts or prices):
        yield _error(
            "E011",
            f"{_name(source)} reads amounts and leaves their currency open.",
            'Add the ISO code: currency = "GBP".',
        )
    elif source.currency and not re.fullmatch("[A-Z]{3}", source.currency):
        yield _error(
            "E011",
            f"{_name(source)}.currency is {source.currency!r}, which is no ISO code.",
            'Write three capital letters: currency = "GBP".',
        )
    for code, rate in source.rates.items():
        if not isinstance(rate, int | float) or rate <= 0:
            yield _error(
                "E012",
                f"{_name(source)}.rates[{code!r}] is {rate!r}.",
                f"Write how many {source.currency or 'units'} one {code} is worth, as a number above 0.",
            )


def _zone(source: Source) -> Iterator[CheckMessage]:
    if not source.timezone:
        return
    try:
        ZoneInfo(source.timezone)
    except (KeyError, ValueError, OSError):
        near = sorted(zone for zone in available_timezones() if source.timezone.lower() in zone.lower())[:3]
        yield _error(
            "E013",
            f"{_name(source)}.timezone is {source.timezone!r}, which is no time zone known here.",
            f"Did you mean {' or '.join(near)}?" if near else 'Write one such as "Europe/London" or "UTC".',
        )


def _name(source: Source) -> str:
    return type(source).__name__


def _error(number: str, message: str, hint: str) -> Error:
    return Error(message, hint=hint, obj="CRM_AGENTS", id=f"crm_data.{number}")
