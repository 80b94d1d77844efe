from datetime import UTC, datetime
from typing import Any

import pytest

from crm_agents.models import Agent, Annotation, AuditEntry, LabelItem, LabelSet
from crm_agents.services.labelling.sets import close_label_set, create_label_set

URL = "/api/v1/label-sets/"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHOICES: list[dict[str, Any]] = [
    {"value": "left", "text": "Has left", "scored": True},
    {"value": "stayed", "text": "Stays"},
]


@pytest.fixture
def label_set(customers: Any) -> LabelSet:
    """Items of X9, C1 and C2, in this order; C1 and C2 are the rep's own."""
    agent = Agent.objects.create(name="churn")
    made = create_label_set(agent, name="Left", subject="customer", question="Left?", choices=CHOICES)
    for place, code in enumerate(("X9", "C1", "C2")):
        LabelItem.objects.create(
            label_set=made, customer_id=code, at=AT, place=place, probabilities={"left": 0.7, "stayed": 0.3}
        )
    return made


@pytest.fixture
def annotator(api: Any, rep: Any) -> Any:
    from django.contrib.auth.models import Permission

    rep.user_permissions.add(Permission.objects.get(codename="annotate"))
    return api


def item_of(customer: str) -> LabelItem:
    return LabelItem.objects.get(customer_id=customer)


def test_sets_are_listed_and_described(annotator: Any, label_set: LabelSet) -> None:
    [row] = annotator.get(URL).json()["results"]
    assert row == {
        "id": label_set.pk,
        "agent": "churn",
        "name": "Left",
        "subject": "customer",
        "question": "Left?",
        "choices": [{"value": "left", "text": "Has left"}, {"value": "stayed", "text": "Stays"}],
        "annotators": 1,
        "closed": False,
        "url": f"http://testserver{URL}{label_set.pk}/",
    }
    detail = annotator.get(row["url"]).json()
    assert detail["counts"] == {"open": 3, "agreed": 0, "disputed": 0, "unknown": 0, "all": 3}


def test_the_next_item_is_an_own_customers_and_tells_no_score(annotator: Any, label_set: LabelSet) -> None:
    answer = annotator.get(f"{URL}{label_set.pk}/next/").json()

    assert answer == {
        "item": {
            "id": item_of("C1").pk,
            "customer_id": "C1",
            "key": "",
            "at": "2026-03-01T12:00:00Z",
            "text": "",
        }
    }
    close_label_set(label_set, closed=True, user=None)
    assert annotator.get(f"{URL}{label_set.pk}/next/").json() == {"item": None}


def test_an_answer_is_stored_once(annotator: Any, rep: Any, label_set: LabelSet) -> None:
    body = {"item": item_of("C1").pk, "label": "left", "reason": "Closed", "seconds": 3}
    for replayed in (False, True):
        answer = annotator.post(
            f"{URL}{label_set.pk}/annotations/", body, format="json", headers={"Idempotency-Key": "one"}
        )
        assert answer.status_code == 201
        assert ("Idempotent-Replayed" in answer.headers) == replayed
    said = Annotation.objects.get()
    assert answer.json() == {
        "id": said.pk,
        "kind": "label",
        **body,
        "seconds": 3.0,
        "at": said.at.isoformat().replace("+00:00", "Z"),
    }
    assert (said.user, item_of("C1").label) == (rep, "left")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": "gone"}, "label"),
        ({"label": ""}, "label"),
        ({"kind": "shrug"}, "kind"),
        ({"kind": "withdrawn"}, "item"),
        ({"seconds": -1}, "seconds"),
        ({"reason": "x" * 501}, "reason"),
        ({"item": 0}, "item"),
        ({"mood": 1}, "mood"),
    ],
)
def test_a_bad_answer_is_named_and_leaves_nothing(
    annotator: Any, label_set: LabelSet, change: dict[str, Any], field: str
) -> None:
    body = {"item": item_of("C1").pk, "label": "left", **change}
    answer = annotator.post(f"{URL}{label_set.pk}/annotations/", body, format="json")

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Annotation.objects.exists()


def test_an_answer_is_taken_back(annotator: Any, label_set: LabelSet) -> None:
    url, item = f"{URL}{label_set.pk}/annotations/", item_of("C1")
    annotator.post(url, {"item": item.pk, "label": "left"}, format="json")

    answer = annotator.post(url, {"item": item.pk, "kind": "withdrawn"}, format="json")

    assert (answer.status_code, answer.json()["kind"]) == (201, "withdrawn")
    assert item_of("C1").status == "open"


def test_foreign_items_and_sets_are_404(annotator: Any, label_set: LabelSet) -> None:
    body = {"item": item_of("X9").pk, "label": "left"}
    for number in (label_set.pk, label_set.pk + 1, "one", "9" * 40):
        assert annotator.post(f"{URL}{number}/annotations/", body, format="json").status_code == 404
    assert not Annotation.objects.exists()


def test_everything_said_is_exported_and_audited(manager_api: Any, manager: Any, label_set: LabelSet) -> None:
    manager_api.post(
        f"{URL}{label_set.pk}/annotations/", {"item": item_of("X9").pk, "label": "left"}, format="json"
    )
    first = manager_api.get(f"{URL}{label_set.pk}/export/", {"limit": 2}).json()
    rest = manager_api.get(first["next"]).json()

    rows = first["results"] + rest["results"]
    assert [(row["customer"], row["label"]) for row in rows] == [("X9", "left"), ("C1", ""), ("C2", "")]
    assert rows[0]["annotations"][0]["annotator"] == "manager"
    entry = AuditEntry.objects.filter(action="labels.exported").get()
    assert (entry.user, entry.detail) == (manager, {"format": "api"})


def test_each_permission_opens_its_own(api: Any, annotator: Any, rep: Any, label_set: LabelSet) -> None:
    assert annotator.get(f"{URL}{label_set.pk}/export/").status_code == 403
    rep.user_permissions.clear()
    rep.groups.clear()
    rep = type(rep).objects.get(pk=rep.pk)
    api.force_authenticate(rep)
    for path in ("", f"{label_set.pk}/", f"{label_set.pk}/next/"):
        assert api.get(f"{URL}{path}").status_code == 403
    body = {"item": item_of("C1").pk, "label": "left"}
    assert api.post(f"{URL}{label_set.pk}/annotations/", body, format="json").status_code == 403
    assert not Annotation.objects.exists()
    assert not AuditEntry.objects.filter(action="labels.exported").exists()
