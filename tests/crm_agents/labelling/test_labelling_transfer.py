"""Labels to files and back."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model

from crm_agents.models import Annotation, AuditEntry, ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling.answering import adjudicate, annotate
from crm_agents.services.labelling.exporting import csv_lines, json_lines
from crm_agents.services.labelling.importing import Imported, import_labels
from crm_agents.services.labelling.parsing import LabelsRejected
from crm_data.models import Customer, OptOut
from tests.crm_agents.labelling.support import AT, add_items, annotator, label_set_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

WHEN = "2026-03-01T12:00:00+00:00"


@pytest.fixture
def customers(db: None) -> None:
    for code in ("C1", "C2", "C3", "C4"):
        Customer.objects.create(code=code)


@pytest.fixture
def labelled(customers: None) -> LabelSet:
    """C1 agreed, C2 decided by a person against a dispute, C3 a changed mind and a skip, C4 open."""
    label_set = label_set_of(("C1", "C2", "C3", "C4"), annotators=2)
    one, two, three, _four = label_set.items.order_by("place")
    anna, wei, boss = annotator("anna"), annotator("wei"), annotator("boss")
    annotate(one, user=anna, label="left", reason='=1+1, "so"', seconds=2.5)
    annotate(one, user=wei, label="left")
    annotate(two, user=anna, label="left")
    annotate(two, user=wei, kind="cannot_tell")
    adjudicate(two, label="stayed", user=boss)
    annotate(three, user=anna, label="left")
    annotate(three, user=anna, label="stayed")
    annotate(three, user=wei, kind="skip")
    return label_set


def export(label_set: LabelSet, file_format: str) -> bytes:
    lines = csv_lines if file_format == "csv" else json_lines
    return "".join(lines(LabelItem.objects.filter(label_set=label_set))).encode()


def content(label_set: LabelSet) -> list[Any]:
    """Return what a label set holds, less the keys of its rows and the moments of settling."""
    rows = [json.loads(line) for line in export(label_set, "jsonl").splitlines()]
    return [
        {name: value for name, value in row.items() if name not in ("settled_at", "settled_by")}
        for row in rows
    ]


def load(label_set: LabelSet, text: str, file_format: str = "csv", user: Any = None) -> Imported:
    return import_labels(label_set, text.encode(), file_format=file_format, user=user)


def test_an_export_says_who_said_what_and_when(labelled: LabelSet) -> None:
    first = json.loads(export(labelled, "jsonl").splitlines()[0])
    said = Annotation.objects.order_by("pk").first()
    assert said is not None

    assert (first["customer"], first["at"], first["status"], first["label"]) == ("C1", WHEN, "agreed", "left")
    assert first["annotations"][0] == {
        "annotator": "anna",
        "kind": "label",
        "label": "left",
        "reason": '=1+1, "so"',
        "seconds": 2.5,
        "said_at": said.at.isoformat(),
    }


def test_a_csv_has_a_row_for_each_annotation_and_runs_no_formula(labelled: LabelSet) -> None:
    lines = export(labelled, "csv").decode().splitlines()

    assert lines[0].startswith(
        "customer,key,at,label,annotator,kind,reason,seconds,said_at,text,status,final,"
    )
    assert len(lines) == 1 + 2 + 3 + 3 + 1
    assert lines[1].startswith(f'C1,,{WHEN},left,anna,label,"\'=1+1, ""so""",2.5,')
    assert lines[5].startswith(f"C2,,{WHEN},stayed,,,,,,,agreed,stayed,True,boss,")


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_an_export_is_imported_into_an_empty_set_as_it_was(labelled: LabelSet, file_format: str) -> None:
    other = label_set_of((), name="Other", annotators=2)

    done = load(other, export(labelled, file_format).decode(), file_format)

    assert (done.items, done.annotations, done.settled) == (4, 7, 1)
    assert content(other) == content(labelled)


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_the_same_file_twice_changes_nothing(labelled: LabelSet, file_format: str) -> None:
    before, entries = content(labelled), AuditEntry.objects.count()

    done = load(labelled, export(labelled, file_format).decode(), file_format)

    assert (done.items, done.annotations, done.settled) == (0, 0, 0)
    assert content(labelled) == before
    assert AuditEntry.objects.count() == entries


def test_a_row_with_an_annotator_is_an_answer_and_one_without_is_final(customers: None) -> None:
    label_set = label_set_of(("C1", "C2"), annotators=1)
    boss = annotator("boss")
    annotator("anna")
    rows = [f"C1,{WHEN},left,anna,moved", f"C2,{WHEN},stayed,,", f"C3,{WHEN},left,,"]
    text = "\n".join(["customer,at,label,annotator,reason", *rows])

    done = load(label_set, text, user=boss)

    assert done == Imported(rows=3, items=1, annotations=1, settled=2)
    found = {item.customer_id: item for item in label_set.items.select_related("settled_by")}
    assert (found["C1"].label, found["C1"].decided, found["C1"].status) == ("left", False, ItemStatus.AGREED)
    assert (found["C2"].label, found["C2"].decided, found["C2"].settled_by) == ("stayed", True, boss)
    assert (found["C3"].label, found["C3"].at, found["C3"].place) == ("left", AT, 2.0)
    entry = AuditEntry.objects.filter(user=boss).get()
    assert entry.detail == {"imported": 1, "items": 1, "settled": 2}
    assert load(label_set, text, user=boss) == Imported(rows=3, items=0, annotations=0, settled=0)


def test_the_time_may_be_left_out_where_it_is_clear(customers: None) -> None:
    label_set = label_set_of(("C1", "C2"))
    add_items(label_set, "C2", at=AT + timedelta(days=90))

    with pytest.raises(LabelsRejected) as caught:
        load(label_set, "customer,label\nC1,left\nC2,left\nC3,left\n")
    assert [error.line for error in caught.value.errors] == [3, 4]
    assert not label_set.items.exclude(status=ItemStatus.OPEN).exists()

    assert load(label_set, "customer,label\nC1,left\n").settled == 1


def test_every_mistake_is_named_with_its_line_and_nothing_is_stored(customers: None) -> None:
    label_set = label_set_of(("C1",))
    text = "\n".join(
        [
            "customer,at,label,annotator,kind,seconds",
            f"C1,{WHEN},left,,,",
            f"C1,{WHEN},gone,,,",
            "C1,yesterday,left,,,",
            f",{WHEN},left,,,",
            f"C1,{WHEN},left,nobody,,",
            f"Nobody,{WHEN},left,,,",
            f"C1,{WHEN},,,skip,",
            f"C1,{WHEN},left,,,-1",
            f"C1,{WHEN},left,,shrug,",
            f"C1,{WHEN},left,,,1,7",
        ]
    )
    with pytest.raises(LabelsRejected) as caught:
        load(label_set, text)

    assert [(error.line, error.message) for error in caught.value.errors] == [
        (3, "label is 'gone'; one of left, stayed, or empty."),
        (4, "at is 'yesterday'; write a time like 2026-03-02T10:15:00+00:00."),
        (5, "Neither customer nor key says what is labelled."),
        (6, "There is no user 'nobody'."),
        (7, "There is no customer 'Nobody'."),
        (8, "kind is 'skip', which needs an annotator."),
        (9, "seconds is '-1'; a number from 0 up is needed."),
        (10, "kind is 'shrug'; one of label, skip, cannot_tell, withdrawn."),
        (11, "There are more cells than columns."),
    ]
    with pytest.raises(LabelsRejected) as caught:
        load(
            label_set,
            f"customer,at,label,annotator\nC1,{WHEN},left,nobody\nNo,{WHEN},left,\nC1,{WHEN},left,\n",
        )
    assert [(error.line, error.message) for error in caught.value.errors] == [
        (2, "There is no user 'nobody'."),
        (3, "There is no customer 'No'."),
    ]
    assert label_set.items.get().status == ItemStatus.OPEN
    assert not Annotation.objects.exists()


@pytest.mark.parametrize(
    ("text", "file_format", "line", "words"),
    [
        ("customer,mood\nC1,left\n", "csv", 1, "The column 'mood' is not known"),
        ("customer\nC1\n", "csv", 1, "Columns are missing"),
        ("", "csv", 1, "Columns are missing"),
        ("customer,label,label\nC1,left,left\n", "csv", 1, "A column is there twice."),
        ("{", "jsonl", 1, "This line is not JSON."),
        ('\n["C1"]', "jsonl", 2, "This line is no JSON object."),
        ('{"customer": "C1", "mood": 1}', "jsonl", 1, "'mood' is not known here."),
        ('{"customer": ["C1"], "label": "left"}', "jsonl", 1, "customer is ['C1']; a text is needed."),
        ('{"customer": "C1", "annotations": "x"}', "jsonl", 1, "annotations must be a list of objects."),
        ("customer,label\nC\x001,left", "csv", 1, "null characters"),
        ("customer,label\n" + "C" * 65 + ",left", "csv", 2, "customer has 65 characters; at most 64 fit."),
    ],
)
def test_a_file_of_another_kind_is_refused(
    customers: None, text: str, file_format: str, line: int, words: str
) -> None:
    label_set = label_set_of(("C1",))
    with pytest.raises(LabelsRejected) as caught:
        load(label_set, text, file_format)

    [error] = caught.value.errors
    assert error.line == line
    assert words in error.message


def test_another_encoding_is_refused_with_its_line(customers: None) -> None:
    with pytest.raises(LabelsRejected) as caught:
        import_labels(label_set_of(), b"customer,label\nC1,left\nC\xff,left\n", file_format="csv")

    assert [(error.line, error.message) for error in caught.value.errors] == [
        (3, "This is not UTF-8; save the file as UTF-8.")
    ]


def test_nobody_labels_customers_they_may_not_see(rep: "User", other_rep: "User") -> None:
    Customer.objects.create(code="C1", owner=rep)
    Customer.objects.create(code="X9", owner=other_rep)
    label_set = label_set_of(())
    with pytest.raises(LabelsRejected) as caught:
        load(label_set, f"customer,at,label\nC1,{WHEN},left\nX9,{WHEN},left\n", user=rep)

    assert [error.message for error in caught.value.errors] == ["There is no customer 'X9'."]
    assert not label_set.items.exists()


def test_what_was_decided_without_a_user_stays_decided(customers: None) -> None:
    label_set = label_set_of(("C1",))
    load(label_set, f"customer,at,label\nC1,{WHEN},left\n")  # the command line has no user
    annotate(label_set.items.get(), user=get_user_model().objects.create_user("anna"), label="stayed")

    assert label_set.items.get().label == "left"


def test_labels_of_customers_who_opted_out_are_refused(customers: None) -> None:
    OptOut.objects.create(customer_id="C1")
    label_set = label_set_of(())
    with pytest.raises(LabelsRejected) as caught:
        load(label_set, f"customer,at,label\nC1,{WHEN},left\nC2,{WHEN},left\n")

    assert [(error.line, error.message) for error in caught.value.errors] == [
        (2, "Customer 'C1' opted out or was erased; leave the row out.")
    ]
    assert not label_set.items.exists()
