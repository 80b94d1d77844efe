"""`Source`: how a CRM's own tables are read. Declarations only; `crm_data.reading` runs them.

    class CRM(Source):
        currency = "GBP"
        timezone = "Europe/London"
        customers = Customers("crm.Company", name="full_name", owner="owner")
        products = Products("crm.Product", name="name", price="price")
        interactions = [Interactions("crm.Output", kind="purchase", customer="deal__company",
                                     product="product", at="deal__closed", amount="amount")]

Every value is an ORM path or expression of the named model. Nothing of the host is changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable

Path = str | Combinable


@dataclass(frozen=True)
class Many:
    """An attribute over a to-many path; its values become a list instead of multiplying rows."""

    path: str


@dataclass(frozen=True)
class Customers:
    """Who buys. `key` must be unique; outputs are stored under it as a string."""

    model: str
    name: Path
    key: str = "pk"
    owner: str | None = None  # foreign key or many-to-many to the user model
    email: Path | None = None
    since: Path | None = None
    attributes: Sequence[str | Many] = ()
    json_attributes: str | None = None  # a JSON object whose entries are attributes too
    where: Q | None = None


@dataclass(frozen=True)
class Products:
    """What is sold."""

    model: str
    name: Path
    key: str = "pk"
    category: Path | None = None
    price: Path | None = None
    cost: Path | None = None  # of one piece, in the currency of the price; for sorting by margin alone
    available: Path | None = None
    where: Q | None = None


@dataclass(frozen=True)
class Interactions:
    """Dated events of one table.

    `customer` and `product` are paths to the related object; its key is appended.
    `kind` is a word for all rows, or a path (e.g. `F("type")`) to a column of words.
    `changed` is the path of a column that grows with every insert and update of a row; with it,
    snapshots are built incrementally.
    """

    model: str
    kind: str | Combinable
    customer: str
    at: Path
    product: str | None = None
    quantity: Path | None = None
    amount: Path | None = None
    currency: Path | None = None
    basket: Path | None = None
    channel: Path | None = None
    text: Path | None = None
    changed: str | None = None
    where: Q | None = None


@dataclass(frozen=True)
class Market:
    """Dated series known to the host."""

    model: str
    series: Path
    date: Path
    value: Path
    scope: Path | None = None
    known_ahead: Path | None = None
    where: Q | None = None


class Source:
    """Base class of every mapping. Subclasses declare; hooks below may be overridden."""

    customers: Customers
    products: Products | None = None
    interactions: Sequence[Interactions] = ()
    market: Market | None = None
    currency: str = ""  # ISO code of the amounts, and of the dataset
    rates: Mapping[str, float] = MappingProxyType({})  # units of `currency` for one unit of another
    timezone: str = ""  # of naive times and dates, e.g. "Europe/London"

    def tenants(self) -> Iterable[str]:
        """Names of the separate companies in one database; one unnamed tenant by default."""
        return [""]

    @contextmanager
    def scope(self, tenant: str) -> Iterator[None]:
        """Make the rows of `tenant` visible (row-level security, schema …) for the `with` block."""
        yield

    def visible_to(self, user: AbstractBaseUser | AnonymousUser, customers: QuerySet[Any]) -> QuerySet[Any]:
        """Limit `customers` to those `user` may see: own ones, or all with `view_all_customers`.

        Where customers have no owner, all of the staff see all of them; a customer who logs in to the
        same site sees none.
        """
        if getattr(user, "is_superuser", False) or user.has_perm("crm_data.view_all_customers"):  # type: ignore[union-attr]
            return customers
        if not user.is_authenticated:
            return customers.none()
        if self.customers.owner is None:
            return customers if getattr(user, "is_staff", False) else customers.none()
        return customers.filter(pk__in=customers.filter(**{self.customers.owner: user}).values("pk"))
