"""Fills the shop through oscar's own test factories: regulars with habits, and guests; seeded."""

import datetime as dt
import random
from decimal import Decimal
from typing import Any

from django.db import transaction
from oscar.core.loading import get_model
from oscar.test import factories

USERS = 150
DAYS = 420
GUEST_ORDERS = 40
SIZES = ("small", "large")


@transaction.atomic
def fill(until: dt.datetime, *, seed: int = 0) -> None:
    """Make USERS customers, about 100 products and their orders of DAYS days up to `until`."""
    draw = random.Random(seed)  # noqa: S311  not for secrets
    goods = _products(draw)
    address = factories.ShippingAddressFactory()
    billing = factories.BillingAddressFactory(country=address.country)
    addresses = {"shipping_address": address, "billing_address": billing}
    for number in range(USERS):
        user = factories.UserFactory(username=f"buyer-{number}", email=f"buyer-{number}@example.com")
        habits = draw.sample(goods, 4)
        day = float(draw.randint(0, 60))
        pace = draw.choice((21, 28, 42, 60))
        leaves = draw.uniform(0.4, 1.6) * DAYS
        while day < min(DAYS, leaves):
            chosen = draw.sample(habits, 2) + [draw.choice(goods)] * (draw.random() < 0.4)
            _order(user, until - dt.timedelta(days=DAYS - day), chosen, draw, addresses)
            day += max(1.0, draw.gauss(pace, pace / 5))
    for _number in range(GUEST_ORDERS):
        at = until - dt.timedelta(days=draw.uniform(0, DAYS))
        _order(None, at, draw.sample(goods, 2), draw, addresses)


def _products(draw: random.Random) -> list[Any]:
    partner = factories.PartnerFactory()
    goods = []
    for group in ("Tea", "Coffee", "Biscuits", "Cups"):
        category = factories.CategoryFactory(name=group)
        for number in range(10):
            parent = factories.create_product(
                title=f"{group} {number}", product_class=group, structure="parent"
            )
            factories.ProductCategoryFactory(product=parent, category=category)
            for size in SIZES:  # variants carry no title of their own
                upc = f"{group}-{number}-{size}"
                goods.append(factories.create_product(upc=upc, title="", product_class=group, parent=parent))
        for number in range(5):
            title = f"{group} box {number}"
            alone = factories.create_product(upc=f"{group}-box-{number}", title=title, product_class=group)
            factories.ProductCategoryFactory(product=alone, category=category)
            goods.append(alone)
    for product in goods:
        price = Decimal(draw.randint(200, 3000)) / 100
        factories.StockRecordFactory(product=product, partner=partner, price=price, num_in_stock=1_000)
    return goods


def _order(
    user: Any, at: dt.datetime, chosen: list[Any], draw: random.Random, addresses: dict[str, Any]
) -> None:
    order = factories.OrderFactory(user=user, date_placed=at, **addresses)
    for product in {product.pk: product for product in chosen}.values():
        factories.OrderLineFactory(order=order, product=product, quantity=draw.randint(1, 4))
    assert get_model("order", "Line").objects.filter(order=order).exists()
