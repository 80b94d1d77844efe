from typing import Any

import pytest

from crm_agents.models import Agent
from crm_agents.services import defaults
from crm_agents.services.defaults import Suggestion, suggestions
from handoff.dataset import Manifest

pytestmark = pytest.mark.django_db


def manifest(customers: int, events: int) -> Manifest:
    return Manifest(
        shards=1,
        currency="GBP",
        watermark="2026-01-01T00:00:00+00:00",
        first_event=None,
        last_event=None,
        events=events,
        customers=customers,
        products=10,
        kinds={"purchase": events},
        code_version="",
    )


@pytest.mark.parametrize(
    ("customers", "events", "expected"),
    [
        (500, 50_000, {"batch_size": (32, "few_customers", 500), "epochs": (12, "few_customers", 500)}),
        (5_900, 800_000, {}),
        (5_900, 24_000, {"max_visits": (16, "short_histories", 4)}),
        (
            200_000,
            20_000_000,
            {
                "batch_size": (512, "many_customers", 200_000),
                "epochs": (4, "many_customers", 200_000),
                "width": (128, "room_to_learn", 200_000),
            },
        ),
        (0, 0, {}),
    ],
)
def test_values_follow_the_size_of_the_data(customers: int, events: int, expected: dict[str, Any]) -> None:
    found = defaults._by_size(manifest(customers, events))

    assert found == {name: Suggestion(*values) for name, values in expected.items()}


def test_what_the_recipe_or_the_agent_says_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "newest_manifest", lambda tenant: manifest(500, 50_000))
    churn = Agent.objects.create(name="churn")

    assert set(suggestions(churn)) == {"batch_size"}  # its recipe sets epochs
    churn.config = {"batch_size": 64}
    assert suggestions(churn) == {}


def test_without_a_snapshot_nothing_is_suggested() -> None:
    assert suggestions(Agent.objects.create(name="churn")) == {}


def test_the_reason_is_a_sentence() -> None:
    assert Suggestion(32, "few_customers", 1204).sentence == (
        "Suggested for few customers (1,204): smaller steps, more passes."
    )
