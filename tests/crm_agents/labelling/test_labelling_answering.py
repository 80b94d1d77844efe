from typing import Any

import pytest

from crm_agents.models import Annotation, AuditEntry, ItemStatus, LabelItem
from crm_agents.services.labelling.answering import AnnotationRejected, adjudicate, annotate, take_back
from crm_agents.services.labelling.sets import close_label_set
from crm_agents.services.labelling.training import training_labels
from tests.crm_agents.labelling.support import annotator, label_set_of

pytestmark = pytest.mark.django_db


def state(item: LabelItem) -> tuple[str, str]:
    item.refresh_from_db()
    return item.status, item.label


def test_one_answer_settles_an_item_of_one_annotator() -> None:
    item = label_set_of(("C1",)).items.get()
    anna = annotator("anna")

    said = annotate(item, user=anna, label="left", reason="Told us.", seconds=3.5)

    assert state(item) == ("agreed", "left")
    assert (item.settled_at is not None, item.settled_by, item.decided) == (True, None, False)
    assert (said.user, said.kind, said.label, said.reason, said.seconds) == (
        anna,
        "label",
        "left",
        "Told us.",
        3.5,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("anna", "left")], ("open", "")),
        ([("anna", "left"), ("wei", "left")], ("agreed", "left")),
        ([("anna", "left"), ("wei", "stayed")], ("disputed", "")),
        ([("anna", "left"), ("wei", "")], ("disputed", "")),
        ([("anna", ""), ("wei", "")], ("unknown", "")),
        ([("anna", "left"), ("anna", "left")], ("open", "")),
        ([("anna", "left"), ("wei", "stayed"), ("wei", "left")], ("agreed", "left")),
    ],
)
def test_two_annotators_settle_by_their_newest_words(
    words: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    item = label_set_of(("C1",), annotators=2).items.get()
    people = {name: annotator(name) for name in ("anna", "wei")}
    for name, label in words:
        annotate(item, user=people[name], kind="label" if label else "cannot_tell", label=label)

    assert state(item) == expected
    assert item.annotations.count() == len(words)
    assert [row["label"] for row in training_labels("")] == ([expected[1]] if expected[1] else [])


def test_a_skip_is_no_answer() -> None:
    item = label_set_of(("C1",)).items.get()
    annotate(item, user=annotator("anna"), kind="skip")

    assert state(item) == ("open", "")


def test_taking_back_opens_the_item_and_keeps_what_was_said() -> None:
    item = label_set_of(("C1",)).items.get()
    anna = annotator("anna")
    annotate(item, user=anna, label="left")

    take_back(item, user=anna)

    assert state(item) == ("open", "")
    assert item.settled_at is None
    assert [said.kind for said in item.annotations.order_by("pk")] == ["label", "withdrawn"]
    with pytest.raises(AnnotationRejected, match="nothing of this item"):
        take_back(item, user=anna)
    with pytest.raises(AnnotationRejected, match="nothing of this item"):
        take_back(item, user=annotator("wei"))
    assert item.annotations.count() == 2


def test_what_a_person_decided_stays() -> None:
    item = label_set_of(("C1",), annotators=2).items.get()
    anna, wei, boss = annotator("anna"), annotator("wei"), annotator("boss")
    annotate(item, user=anna, label="left")
    annotate(item, user=wei, label="stayed")

    adjudicate(item, label="stayed", user=boss)
    annotate(item, user=wei, label="left")

    assert state(item) == ("agreed", "stayed")
    assert (item.settled_by, item.decided) == (boss, True)
    assert item.annotations.count() == 3
    entry = AuditEntry.objects.filter(user=boss).get()
    assert (entry.action, entry.subject) == ("labels.changed", "Left")
    assert entry.detail == {"item": item.pk, "before": "", "label": "stayed"}

    adjudicate(item, label="", user=boss)
    assert state(item) == ("unknown", "")
    boss.delete()
    annotate(LabelItem.objects.get(), user=anna, label="left")
    assert state(item) == ("unknown", "")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"label": "gone"}, "label"),
        ({"label": ""}, "label"),
        ({"kind": "shrug"}, "kind"),
        ({"kind": "withdrawn"}, "kind"),
        ({"label": "left", "reason": "x" * 501}, "reason"),
    ],
)
def test_a_bad_answer_is_refused_and_leaves_nothing(said: dict[str, Any], field: str) -> None:
    item = label_set_of(("C1",)).items.get()

    with pytest.raises(AnnotationRejected) as caught:
        annotate(item, user=annotator("anna"), **said)

    assert caught.value.field == field
    assert state(item) == ("open", "")
    assert not Annotation.objects.exists()


def test_a_closed_set_takes_no_answers() -> None:
    label_set = label_set_of(("C1",))
    boss = annotator("boss")
    close_label_set(label_set, closed=True, user=boss)

    with pytest.raises(AnnotationRejected, match="closed"):
        annotate(label_set.items.get(), user=boss, label="left")
    assert not Annotation.objects.exists()
    assert AuditEntry.objects.filter(user=boss).get().detail == {"closed": True}


def test_a_page_left_open_over_night_counts_a_day_at_most() -> None:
    item = label_set_of(("C1",)).items.get()

    assert annotate(item, user=annotator("a"), label="left", seconds=1e9).seconds == 86_400.0
    assert item.status == ItemStatus.OPEN  # the caller's copy is left as it was
