from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from django.contrib.auth import get_user_model

from crm_agents.models import Agent, Feedback, ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.services.agents import get_agent
from crm_agents.services.labelling.sets import choose_training, create_label_set
from crm_agents.services.labelling.training import training_labels
from handoff.dataset import LABELS
from tests.published import AS_OF, publish

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, tzinfo=UTC)
SAID = AT + timedelta(days=2)


def make_set(tenant: str = "", subject: str = Subject.CUSTOMER) -> LabelSet:
    agent, _ = Agent.objects.get_or_create(name="churn", tenant=tenant)
    return LabelSet.objects.create(agent=agent, name=f"of {subject}", subject=subject, question="Left?")


def make_item(label_set: LabelSet, **values: Any) -> LabelItem:
    settled: dict[str, Any] = {"status": ItemStatus.AGREED, "label": "left", "settled_at": SAID}
    return LabelItem.objects.create(label_set=label_set, at=AT, **{**settled, **values})


def test_a_settled_item_becomes_a_row() -> None:
    make_item(make_set(), customer_id="C1")
    make_item(make_set(subject=Subject.QUESTION), key="q1", text="Where is it?", label="shipping")

    rows = sorted(training_labels(""), key=lambda row: row["subject"])

    shared = {"agent": "churn", "at": AT, "said_at": SAID}
    assert rows == [
        {**shared, "subject": "customer", "customer": "C1", "key": "", "label": "left", "text": ""},
        {
            **shared,
            "subject": "question",
            "customer": "",
            "key": "q1",
            "label": "shipping",
            "text": "Where is it?",
        },
    ]
    assert pl.DataFrame(rows, schema=LABELS).shape == (2, 8)


def test_what_is_not_settled_never_trains() -> None:
    label_set = make_set()
    for number, status in enumerate((ItemStatus.OPEN, ItemStatus.DISPUTED, ItemStatus.UNKNOWN)):
        make_item(label_set, customer_id=f"C{number}", status=status, label="")
    make_item(make_set(tenant="north"), customer_id="C9")

    assert list(training_labels("")) == []
    assert [row["customer"] for row in training_labels("north")] == ["C9"]


def test_one_question_about_texts_trains_at_a_time() -> None:
    agent = get_agent("churn")
    choices = [{"value": "yes"}, {"value": "no"}]
    intent, complaint, left = (
        create_label_set(agent, name=name, subject=subject, question="?", choices=choices)
        for name, subject in (("I", "interaction"), ("C", "question"), ("L", "customer"))
    )
    for label_set in (intent, complaint, left):
        make_item(label_set, customer_id=label_set.name)
    assert sorted(row["customer"] for row in training_labels("")) == ["I", "L"]

    choose_training(complaint, trains=True, user=None)
    assert sorted(row["customer"] for row in training_labels("")) == ["C", "L"]
    choose_training(left, trains=False, user=None)
    assert [row["customer"] for row in training_labels("")] == ["C"]


def test_the_last_word_of_feedback_counts() -> None:
    agent = publish("recommender", {})
    user = get_user_model().objects.create_user("anna")
    shared: dict[str, Any] = {"agent": agent, "customer_id": "C1", "user": user}
    for verdict in ("accepted", "dismissed"):
        Feedback.objects.create(**shared, item="P1", verdict=verdict, scoring=agent.live_scoring, at=SAID)
    Feedback.objects.create(**shared, item="P2", verdict="accepted", at=SAID)
    Feedback.objects.create(**shared, verdict="wrong", at=SAID)

    rows = sorted(training_labels(""), key=lambda row: (row["subject"], row["key"]))

    assert [(row["subject"], row["key"], row["label"], row["at"]) for row in rows] == [
        ("customer", "", "wrong", SAID),
        ("item", "P1", "dismissed", AS_OF),
        ("item", "P2", "accepted", SAID),
    ]
    assert {(row["customer"], row["said_at"], row["text"]) for row in rows} == {("C1", SAID, "")}
