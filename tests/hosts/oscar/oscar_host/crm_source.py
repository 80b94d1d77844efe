from django.db.models import Min, Q, Value
from django.db.models.functions import Coalesce, NullIf

from crm_data.source import Customers, Interactions, Products, Source


class Shop(Source):
    currency = "GBP"
    customers = Customers("auth.User", name="username", email="email", since="date_joined",
                          where=Q(is_staff=False))  # fmt: skip
    products = Products(
        "catalogue.Product", name=Coalesce(NullIf("title", Value("")), "parent__title"),
        category=Coalesce(Min("categories__name"), Min("parent__categories__name")),
        price=Min("stockrecords__price"), available="is_public", where=~Q(structure="parent"),
    )  # fmt: skip
    interactions = (
        Interactions("order.Line", kind="purchase", customer="order__user", product="product",
                     at="order__date_placed", quantity="quantity", amount="line_price_incl_tax",
                     currency="order__currency", basket="order__number"),
    )  # fmt: skip
