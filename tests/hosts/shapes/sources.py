from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf

from crm_data.source import Customers, Interactions, Many, Products, Source


class Firms(Source):
    currency = "EUR"
    rates = {"USD": 0.5}
    timezone = "Europe/Berlin"
    customers = Customers(
        "shapes.Firm",
        name="title",
        owner="owners",
        since="joined",
        attributes=["active", Many("tags__word")],
        where=Q(active=True),
    )
    products = Products(
        "shapes.Article", name=Coalesce(NullIf("title", Value("")), "parent__title"), price="price"
    )
    interactions = (
        Interactions(
            "shapes.DealLine",
            kind="purchase",
            customer="deal__firm",
            product="article",
            at="deal__closed",
            quantity="quantity",
            amount="total",
            currency="currency",
            basket="deal",
        ),
    )


class TitledFirms(Firms):
    """Leaves articles without a title out of the products."""

    products = Products("shapes.Article", name="title", where=~Q(title=""))


_company: ContextVar[str] = ContextVar("company", default="")


class Members(Source):
    """Several companies in one table; without a company named, no row is visible."""

    timezone = "America/New_York"
    interactions = (Interactions("shapes.Visit", kind=F("word"), customer="member", at="day"),)

    @property
    def customers(self) -> Customers:  # type: ignore[override] # as row-level security would
        return Customers("shapes.Member", key="number", name="name", where=Q(company=_company.get()))

    def tenants(self) -> Iterable[str]:
        return ["north", "south"]

    @contextmanager
    def scope(self, tenant: str) -> Iterator[None]:
        token = _company.set(tenant)
        try:
            yield
        finally:
            _company.reset(token)


class People(Source):
    customers = Customers("shapes.Person", name="slug", owner="rep")


class PlainPeople(Source):
    customers = Customers("shapes.Person", name="slug")
