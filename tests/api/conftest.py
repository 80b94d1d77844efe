"""A small shop with published scores: two customers of one rep, one of another."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from tests.published import AS_OF, publish

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from crm_agents.models import Agent, ModelVersion, TrainingRun
    from crm_data.models import Customer, Product, Snapshot


@pytest.fixture(autouse=True)
def _no_request_counted_before() -> None:
    cache.clear()


@pytest.fixture
def client_of() -> "Callable[[User], APIClient]":
    from rest_framework.test import APIClient

    def make(user: "User") -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(user)
        return client

    return make


@pytest.fixture
def api(client_of: Any, rep: "User") -> "APIClient":
    """The rep at the API."""
    client: APIClient = client_of(rep)
    return client


@pytest.fixture
def manager_api(client_of: Any, manager: "User") -> "APIClient":
    client: APIClient = client_of(manager)
    return client


@pytest.fixture
def customers(rep: "User", other_rep: "User") -> "list[Customer]":
    """C1 and C2 are the rep's own, X9 is foreign to the rep."""
    from crm_data.models import Customer

    return [
        Customer.objects.create(
            code="C1", name="Alder & Sons", email="a@example.org", owner=rep, country="UK"
        ),
        Customer.objects.create(code="C2", name="Birch Ltd", owner=rep),
        Customer.objects.create(code="X9", name="Foreign Oak", owner=other_rep),
    ]


@pytest.fixture
def products(db: None) -> "list[Product]":
    from crm_data.models import Product

    return [
        Product.objects.create(code="P1", name="Candle", category="Home", price="2.50"),
        Product.objects.create(code="P2", name="Lantern", category="Home", price="9.00"),
        Product.objects.create(code="P3", name="Spade", category="Garden"),
    ]


@pytest.fixture
def snapshot(db: None) -> "Snapshot":
    from crm_data.models import Snapshot

    return Snapshot.objects.create(
        folder="datasets/one", sha256="d" * 64, watermark=AS_OF, events=10, customers=3, products=3, shards=1
    )


@pytest.fixture
def make_version(snapshot: "Snapshot") -> "Callable[..., ModelVersion]":
    from crm_agents.models import ModelVersion, RunStatus, TrainingRun

    def make(agent: "Agent", number: int = 1, **values: Any) -> ModelVersion:
        run = TrainingRun.objects.create(agent=agent, status=RunStatus.SUCCEEDED, snapshot=snapshot)
        return ModelVersion.objects.create(
            **{
                "agent": agent,
                "number": number,
                "run": run,
                "artifact": f"artifacts/{agent.name}/{number}",
                "artifact_sha256": "a" * 64,
                "snapshot": snapshot,
                "verdict": "passed",
                "verdict_reasons": [],
                "evaluation": {"metrics": {"model": {"roc_auc": 0.78}}},
                "created_at": AS_OF,
                **values,
            }
        )

    return make


@pytest.fixture
def queries_of(db: None) -> "Callable[[Callable[[], Any]], int]":
    """Count the database queries of a call, its second time: the first one fills caches."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count(call: Callable[[], Any]) -> int:
        call()
        with CaptureQueriesContext(connection) as captured:
            call()
        return len(captured)

    return count


OVERDUE = {"code": "overdue", "direction": "up", "usual_gap_days": 20.0, "days_since": 61.0}


@pytest.fixture
def live_churn(customers: Any) -> "Agent":
    return publish(
        "churn",
        {
            "C1": (0.91, {"reasons": [OVERDUE], "before": 0.5}),
            "C2": (0.2, {"reasons": [], "before": 0.2}),
            "X9": (0.99, {"reasons": [], "before": 0.5}),
        },
    )


@pytest.fixture
def live_recommender(customers: Any, products: Any) -> "Agent":
    repeat = {"code": "repeat", "direction": "up", "times": 3, "usual_gap_days": 30.0, "days_since": 28.0}
    together = {"code": "bought_with", "direction": "up", "product": "P1", "customers": 12}
    popular = {"code": "popular", "direction": "up", "customers": 7, "days": 28}
    items = [
        {"product": "P1", "score": 0.31, "reasons": [repeat]},
        {"product": "P3", "score": 0.2, "reasons": [together]},
        {"product": "P2", "score": 0.1, "reasons": []},
    ]
    liked = [{"product": "P1", "score": 0.05, "reasons": [popular]}]
    return publish(
        "recommender",
        {
            "C1": (0.31, {"source": "model", "items": items}),
            "C2": (None, {"source": "popularity", "items": liked}),
            "X9": (0.3, {"source": "model", "items": items}),
        },
    )


@pytest.fixture
def queued_run(manager: "User") -> "TrainingRun":
    from crm_agents.models import TrainingRun
    from crm_agents.services.agents import get_agent

    return TrainingRun.objects.create(agent=get_agent("churn"), started_by=manager)
