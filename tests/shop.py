"""A small shop in the built-in tables: what tests of the path from rows to scores start from."""

from datetime import UTC, datetime, timedelta

from crm_data.models import Customer, Interaction, Product

LAST_DAY = datetime(2026, 6, 30, 12, tzinfo=UTC)


def open_shop(customers: int = 6, purchases: int = 4) -> None:
    """Store customers C1, C2 … who each bought P1 `purchases` times, 30 days apart, up to LAST_DAY."""
    product = Product.objects.create(code="P1", name="Lantern", category="Light", price=5)
    Customer.objects.bulk_create(
        Customer(code=f"C{number}", name=f"Customer {number}") for number in range(1, customers + 1)
    )
    Interaction.objects.bulk_create(
        Interaction(
            customer=customer,
            product=product,
            kind="purchase",
            at=LAST_DAY - timedelta(days=30 * number),
            quantity=1,
            amount=5,
            basket=f"{customer.code}-{number}",
        )
        for customer in Customer.objects.all()
        for number in range(purchases)
    )
