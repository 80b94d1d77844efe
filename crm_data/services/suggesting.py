"""Drafts a Source from the installed models: guesses by name and type, for a person to correct."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models

Model = type[models.Model]

# Apps that never hold a CRM's facts; ours and the framework's.
NOT_OF_THE_HOST = (
    *("crm_data", "crm_agents", "profiling", "recommender", "churn", "demand", "answering"),
    *("admin", "contenttypes", "sessions", "sites", "django_celery_beat", "authtoken", "messages"),
)
CUSTOMER = {
    "customer": 9,
    "client": 8,
    "company": 7,
    "firm": 6,
    "organization": 6,
    "organisation": 6,
    "account": 6,
}
CUSTOMER |= {"contact": 5, "person": 4, "user": 3, "member": 2, "partner": 1}
PRODUCT = {"product": 9, "article": 7, "sku": 6, "item": 5, "goods": 5, "service": 3}
SALE = ("order", "sale", "invoice", "deal", "purchase", "transaction", "payment", "output")
LINE = ("line", "item", *SALE)
CONTACT = {
    "email": "email",
    "mail": "email",
    "call": "call",
    "ticket": "question",
    "visit": "visit",
    "message": "email",
}
WHEN = (
    "date_placed",
    "placed",
    "closing",
    "closed",
    "paid",
    "sold",
    "ordered",
    "date",
    "created",
    "time",
    "at",
)
QUANTITY = ("quantity", "qty", "units", "count")
AMOUNT = ("amount", "line_price_incl_tax", "line_total", "total", "sum", "price")
NAME = ("full_name", "name", "title", "company_name", "username")
OWNER = ("owner", "assigned", "responsible", "manager", "rep", "user")
SINCE = ("since", "date_joined", "joined", "created", "creation_date", "registered")
CATEGORY = ("category", "group", "class", "type")


@dataclass(frozen=True)
class _Found:
    model: Model
    customer: str
    product: str | None


def suggest() -> str:
    """Return the source code of a Source class that fits the installed models as far as names tell."""
    hosts = [model for model in apps.get_models() if model._meta.app_label not in NOT_OF_THE_HOST]
    customer = _best(hosts, CUSTOMER) or get_user_model()
    product = _best([model for model in hosts if model is not customer], PRODUCT)
    body = [
        "class CRM(Source):",
        '    currency = ""  # of the amounts: an ISO code such as "GBP"',
        f'    timezone = "{settings.TIME_ZONE}"  # of dates, and of times where USE_TZ is off',
        *_customers(customer),
        *(_products(product) if product else ["    # No model looks like products."]),
        "    interactions = [",
        *_interactions(hosts, customer, product),
        "    ]",
    ]
    return "\n".join([*_head("\n".join(body)), "", "", *body])


def _head(body: str) -> list[str]:
    names = [name for name in ("Customers", "Interactions", "Products") if f"{name}(" in body]
    blank = [
        "from django.db.models import Value",
        "from django.db.models.functions import Coalesce, NullIf",
        "",
    ]
    return [
        "# A draft: the names fit, whether the meaning does is for you to say.",
        "# Then: python manage.py crm_source check",
        *(blank if "NullIf(" in body else []),
        f"from crm_data.source import {', '.join(names)}, Source",
    ]


def _best(candidates: Iterable[Model], words: dict[str, int]) -> Model | None:
    def score(model: Model) -> float:
        name = model._meta.model_name or ""
        points: float = max((weight for word, weight in words.items() if name == word), default=0)
        points = points or max(
            (weight / 3 for word, weight in words.items() if name.endswith(word)), default=0
        )
        return points and points + min(len(model._meta.related_objects), 20) / 10

    ranked = sorted(((score(model), model._meta.label, model) for model in candidates), reverse=True)
    return ranked[0][2] if ranked and ranked[0][0] else None


def _customers(model: Model) -> list[str]:
    user = get_user_model()
    owner = next(
        (name for name in _named(model, OWNER) if model._meta.get_field(name).related_model is user), None
    )
    email = next((field.name for field in model._meta.fields if isinstance(field, models.EmailField)), None)
    return _call(
        "    customers = Customers",
        model,
        name=_first(model, NAME, models.CharField) or "pk",
        owner=owner if model is not user else None,
        email=email,
        since=_first(model, SINCE, models.DateField),
    )


def _products(model: Model) -> list[str]:
    category = next(iter(_named(model, CATEGORY)), None)
    return _call(
        "    products = Products",
        model,
        name=_name_or_parents(model, _first(model, NAME, models.CharField) or "pk"),
        category=_text_of(model, category) if category else None,
        price=_first(model, ("price",), models.DecimalField, models.FloatField),
    )


def _interactions(hosts: list[Model], customer: Model, product: Model | None) -> Iterator[str]:
    found = list(_events(hosts, customer, product))
    for each in sorted(found, key=_likelihood):
        yield from _interaction(each)
    if not found:
        yield "        # No model with a date and a path to the customers was found."


def _interaction(found: _Found) -> list[str]:
    model = found.model
    name = str(model._meta.model_name)
    parent = found.customer.split("__")[0] if "__" in found.customer else None
    return _call(
        "        Interactions",
        model,
        end=",",
        kind="purchase" if found.product else next(kind for word, kind in CONTACT.items() if word in name),
        customer=found.customer,
        product=found.product,
        at=_near(model, parent, WHEN, models.DateField),
        quantity=_first(model, QUANTITY, models.IntegerField, models.DecimalField, models.FloatField),
        amount=_first(model, AMOUNT, models.DecimalField, models.FloatField),
        currency=_near(model, parent, ("currency",), models.CharField),
        basket=parent if found.product else None,
        text=_first(model, ("content", "body", "text", "message"), models.TextField),
    )


def _likelihood(found: _Found) -> tuple[bool, bool, str]:
    """Sort purchases first, and among them those that hang on an order or a sale."""
    where = f"{found.model._meta.label_lower} {found.customer}"
    return found.product is None, not any(word in where for word in SALE), found.model._meta.label


def _events(hosts: list[Model], customer: Model, product: Model | None) -> Iterator[_Found]:
    for model in hosts:
        path = _path(model, customer)
        if path is None or model in (customer, product):
            continue
        parent = path.split("__")[0] if "__" in path else None
        if _near(model, parent, WHEN, models.DateField) is None:
            continue
        sold = _path(model, product, 1) if product else None
        name = model._meta.model_name or ""
        if (sold and any(word in name for word in LINE)) or any(word in name for word in CONTACT):
            yield _Found(model, path, sold)


def _path(model: Model, goal: Model, depth: int = 3) -> str | None:
    """Return the shortest path of foreign keys from `model` to `goal`."""
    level: list[tuple[str, Model]] = [("", model)]
    for _step in range(depth):
        following: list[tuple[str, Model]] = []
        for prefix, at in level:
            for field in at._meta.fields:
                related: Any = field.related_model
                if related is None or related == "self":
                    continue
                path = f"{prefix}__{field.name}" if prefix else field.name
                if related is goal:
                    return path
                following.append((path, related))
        level = following
    return None


def _near(model: Model, parent: str | None, words: Iterable[str], kind: type[Any]) -> str | None:
    """Return a field of the model, or else of the row it belongs to."""
    own = _first(model, words, kind)
    if own is not None or parent is None:
        return own
    related: Any = model._meta.get_field(parent).related_model
    other = _first(related, words, kind)
    return f"{parent}__{other}" if other else None


def _first(model: Model, words: Iterable[str], *kinds: type[Any]) -> str | None:
    return next(
        (name for name in _named(model, words) if isinstance(model._meta.get_field(name), kinds)), None
    )


def _named(model: Model, words: Iterable[str]) -> Iterator[str]:
    """Yield the fields whose names hold one of `words`: exact names first, then in the words' order."""
    names = [field.name for field in (*model._meta.fields, *model._meta.many_to_many)]
    words = list(words)
    yield from (word for word in words if word in names)
    yield from (name for word in words for name in names if name != word and _holds(name, word))


def _holds(name: str, word: str) -> bool:
    return word in name.split("_") or name == f"{word}s"


def _text_of(model: Model, name: str) -> str:
    related: Any = model._meta.get_field(name).related_model
    if related is None:
        return name
    return f"{name}__{_first(related, NAME, models.CharField) or 'pk'}"


def _name_or_parents(model: Model, name: str) -> str:
    """Let a variant without a name take its parent's."""
    fields = {field.name: field for field in model._meta.fields}
    parent = next((field.name for field in fields.values() if field.related_model is model), None)
    if parent is None or name not in fields or not fields[name].blank:
        return name
    return f'=Coalesce(NullIf("{name}", Value("")), "{parent}__{name}")'


def _call(start: str, model: Model, end: str = "", **values: str | None) -> list[str]:
    """Return the lines of a call; a value that begins with `=` is code, any other a string."""
    margin = " " * (len(start) - len(start.lstrip()))
    given = {name: value[1:] if value[0] == "=" else f'"{value}"' for name, value in values.items() if value}
    arguments = [f'"{model._meta.label}"', *(f"{name}={value}" for name, value in given.items())]
    return [f"{start}(", *(f"{margin}    {argument}," for argument in arguments), f"{margin}){end}"]
