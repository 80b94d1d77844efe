"""An agent with live scores, customers with purchases, and an experiment that has gone on for a while."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from crm_agents.arms import in_second_arm
from crm_agents.models import Agent, Experiment
from crm_data.models import Customer, Interaction, Product
from tests.published import publish

PRODUCTS = ("P1", "P2", "P3")


def stock() -> None:
    Product.objects.bulk_create(Product(code=code, name=code, price=5) for code in PRODUCTS)


def open_shop(number: int, **values: Any) -> Agent:
    """Store customers C0, C1 … whom the live scores recommend P1 and P2, P1 first."""
    stock()
    Customer.objects.bulk_create(Customer(code=f"C{each}", name=f"Customer {each}") for each in range(number))
    return publish("recommender", {f"C{each}": (0.5, listed("P1", "P2")) for each in range(number)}, **values)


def listed(*products: str) -> dict[str, Any]:
    return {
        "source": "model",
        "items": [{"product": each, "score": 0.5, "reasons": []} for each in products],
    }


def begun(agent: Agent, *, days_ago: float = 20, **values: Any) -> Experiment:
    """Store an experiment with a fixed salt that began some days ago."""
    return Experiment.objects.create(
        **{
            "agent": agent,
            "kind": "control",
            "treatment": "popularity",
            "share": 0.1,
            "salt": "fixed",
            "horizon_days": 28,
            "version": agent.live_version,
            "scoring": agent.live_scoring,
            "started_at": timezone.now() - timedelta(days=days_ago),
            **values,
        }
    )


def sell(
    customer: str, at: datetime, *, product: str = "P1", amount: float = 5, **values: Any
) -> Interaction:
    return Interaction(
        customer=Customer.objects.get(code=customer),
        product=Product.objects.get(code=product),
        at=at,
        amount=amount,
        **{"kind": "purchase", "quantity": 1, "basket": f"{customer} {at}", **values},
    )


def trade(experiment: Experiment, *, uplift: float, seed: int = 0) -> None:
    """Have a third of the customers buy since the start; more of them where not in the second arm."""
    rng = np.random.default_rng(seed)
    product = Product.objects.get(code="P1")
    rows = []
    for customer in Customer.objects.order_by("pk"):
        treated = not in_second_arm(experiment, customer.code)
        for chance, days in ((1 / 3, -10.0), (1 / 3 * (1 + uplift * treated), 5.0)):
            if rng.random() < chance:
                rows.append(
                    Interaction(
                        customer=customer,
                        product=product,
                        kind="purchase",
                        at=experiment.started_at + timedelta(days=days),
                        amount=float(np.round(rng.gamma(2, 20), 2)),
                        basket=f"{customer.code} {days}",
                    )
                )
    Interaction.objects.bulk_create(rows)
