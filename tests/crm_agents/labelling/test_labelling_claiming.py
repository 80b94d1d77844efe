from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from crm_agents.services.labelling.answering import annotate, take_back
from crm_agents.services.labelling.claiming import next_items, release
from crm_agents.services.labelling.sets import close_label_set
from crm_data.models import Customer
from tests.crm_agents.labelling.support import AT, add_items, annotator, label_set_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def names(items: object) -> list[str]:
    return [item.customer_id for item in items]  # type: ignore[attr-defined]


def test_two_people_are_given_different_items() -> None:
    label_set = label_set_of()
    anna, wei = annotator("anna"), annotator("wei")

    assert names(next_items(label_set, anna, 2)) == ["C1", "C2"]
    assert names(next_items(label_set, wei, 2)) == ["C3"]
    assert names(next_items(label_set, anna, 2)) == ["C1", "C2"]


def test_a_claim_lapses_and_can_be_given_back() -> None:
    label_set = label_set_of(("C1",))
    anna, wei = annotator("anna"), annotator("wei")
    with time_machine.travel(AT, tick=False):
        next_items(label_set, anna)
        assert next_items(label_set, wei) == []
    with time_machine.travel(AT + timedelta(minutes=6), tick=False):
        assert names(next_items(label_set, wei)) == ["C1"]
        assert next_items(label_set, anna) == []
        release(label_set, wei)
        assert names(next_items(label_set, anna)) == ["C1"]


def test_several_annotators_each_get_the_item_once() -> None:
    label_set = label_set_of(("C1",), annotators=2)
    anna, wei, eve = annotator("anna"), annotator("wei"), annotator("eve")

    annotate(next_items(label_set, anna)[0], user=anna, label="left")
    assert next_items(label_set, anna) == []
    annotate(next_items(label_set, wei)[0], user=wei, label="left")
    assert next_items(label_set, eve) == []


def test_skipped_items_come_after_the_rest_and_the_oldest_skip_first() -> None:
    label_set = label_set_of()
    anna = annotator("anna")
    for expected in ("C1", "C2"):
        [item] = next_items(label_set, anna)
        assert item.customer_id == expected
        annotate(item, user=anna, kind="skip")

    assert names(next_items(label_set, anna, 3)) == ["C3", "C1", "C2"]
    assert names(next_items(label_set, annotator("wei"), 3)) == []  # anna has them all open
    release(label_set, anna)
    assert names(next_items(label_set, annotator("eve"), 3)) == ["C1", "C2", "C3"]


def test_what_was_taken_back_is_asked_again() -> None:
    label_set = label_set_of(("C1", "C2"))
    anna = annotator("anna")
    [item] = next_items(label_set, anna)
    annotate(item, user=anna, label="left")
    take_back(item, user=anna)

    assert names(next_items(label_set, anna)) == ["C1"]


def test_nobody_sees_items_of_foreign_customers(rep: "User", other_rep: "User") -> None:
    Customer.objects.create(code="C1", owner=other_rep)
    Customer.objects.create(code="C2", owner=rep)
    label_set = label_set_of(("C1", "C2", "C3"))
    add_items(label_set, "", key="q1")

    assert names(next_items(label_set, rep, 5)) == ["", "C2"]
    assert names(next_items(label_set, other_rep, 5)) == ["C1"]


def test_a_closed_set_asks_nothing() -> None:
    label_set = label_set_of()
    anna = annotator("anna")
    close_label_set(label_set, closed=True, user=anna)

    assert next_items(label_set, anna) == []
    assert not label_set.items.exclude(claimed_by=None).exists()
