"""The Source of the built-in models: the same road that every host takes."""

from django.db.models import F

from crm_data import conf
from crm_data.source import Customers, Interactions, Market, Products, Source


class BuiltInSource(Source):
    timezone = "UTC"
    customers = Customers(
        "crm_data.Customer",
        key="code",
        name="name",
        owner="owner",
        email="email",
        since="since",
        attributes=["country"],
        json_attributes="attributes",
    )
    products = Products(
        "crm_data.Product",
        key="code",
        name="name",
        category="category",
        price="price",
        cost="cost",
        available="available",
    )
    interactions = (
        Interactions(
            "crm_data.Interaction",
            kind=F("kind"),
            customer="customer",
            product="product",
            at="at",
            quantity="quantity",
            amount="amount",
            currency="currency",
            basket="basket",
            channel="channel",
            text="text",
            changed="changed_at",
        ),
    )
    market = Market(
        "crm_data.MarketIndicator",
        series="series",
        scope="scope",
        date="date",
        value="value",
        known_ahead="known_ahead",
    )

    def __init__(self) -> None:
        self.currency = conf.setting("CURRENCY")
