"""A label set of three customers, and people who label."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User

from crm_agents.models import LabelItem, LabelSet
from crm_agents.services.agents import get_agent
from crm_agents.services.labelling.sets import create_label_set
from tests.crm_agents_admin.support import staff

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEFT_OR_STAYED = [{"value": "left", "text": "Has left", "scored": True}, {"value": "stayed", "text": "Stays"}]


def label_set_of(customers: tuple[str, ...] = ("C1", "C2", "C3"), **values: Any) -> LabelSet:
    made = create_label_set(
        get_agent("churn"),
        **{
            "name": "Left",
            "subject": "customer",
            "question": "Has this customer left?",
            "choices": LEFT_OR_STAYED,
            **values,
        },
    )
    add_items(made, *customers)
    return made


def add_items(label_set: LabelSet, *customers: str, **values: Any) -> list[LabelItem]:
    return [
        LabelItem.objects.create(
            label_set=label_set, **{"at": AT, "customer_id": customer, "place": float(place), **values}
        )
        for place, customer in enumerate(customers)
    ]


def annotator(name: str) -> User:
    """Return a user who labels and sees every customer."""
    user = staff(name, "annotate")
    user.is_superuser = True  # sees all; who sees what is tested with sales reps
    user.save()
    return user
