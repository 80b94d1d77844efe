"""The pages of a label set: who may do what, and what becomes of it."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm_agents.models import Agent, Annotation, AuditEntry, ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling import jobs
from crm_agents.services.labelling.answering import annotate
from crm_agents.services.labelling.sets import create_label_set
from crm_data.models import Customer, Interaction
from tests.crm_agents_admin.support import inline_parts, signed_in, staff, text_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = "/admin/crm_agents/labelset/"
CHOICES: list[dict[str, Any]] = [
    {"value": "left", "text": "Has left", "scored": True},
    {"value": "stayed", "text": "Stays"},
]


@pytest.fixture
def owner(db: None) -> "User":
    return staff("owner", "annotate")


@pytest.fixture
def annotator(owner: "User") -> Client:
    return signed_in(owner)


@pytest.fixture
def keeper(db: None) -> Client:
    user = staff("keeper", "manage_labels", "annotate", "view_scores")
    user.is_superuser = True
    user.save()
    return signed_in(user)


@pytest.fixture
def label_set(agent: Agent, owner: "User") -> LabelSet:
    """C1 and C2 are the owner's own customers, X9 is nobody's."""
    for code, user in (("C1", owner), ("C2", owner), ("X9", None)):
        Customer.objects.create(code=code, name=f"Shop {code}", owner=user, country="UK")
    customer = Customer.objects.get(code="C1")
    Interaction.objects.create(customer=customer, kind="call", at=AT, text="Closes the shop <b>in May</b>.")
    made = create_label_set(
        agent, name="Left", subject="customer", question="Has this customer left?", choices=CHOICES
    )
    for place, code in enumerate(("X9", "C1", "C2")):
        LabelItem.objects.create(label_set=made, customer_id=code, at=AT, place=place)
    return made


def url(label_set: LabelSet, page: str = "change") -> str:
    return f"{BASE}{label_set.pk}/{page}/"


def script(client: Client, path: str, **data: Any) -> Any:
    return client.post(path, data, headers={"Accept": "application/json"})


PAGES = ("change", "annotate", "disputes", "errors", "import")


@pytest.mark.parametrize("page", PAGES)
def test_pages_need_their_permission(
    label_set: LabelSet, annotator: Client, keeper: Client, viewer: Client, page: str
) -> None:
    assert viewer.get(url(label_set, page)).status_code == 403
    assert annotator.get(url(label_set, page)).status_code == (200 if page in PAGES[:2] else 403)
    answer = keeper.get(url(label_set, page))
    assert answer.status_code == 200
    assert inline_parts(answer) == []


@pytest.mark.parametrize("page", ["fill", "close", "train", "export", "errors/search", "disputes", "import"])
def test_an_annotator_changes_nothing_of_the_set(label_set: LabelSet, annotator: Client, page: str) -> None:
    before = AuditEntry.objects.count()

    assert annotator.post(url(label_set, page), {"size": 5, "closed": "1"}).status_code == 403
    assert AuditEntry.objects.count() == before
    assert not LabelSet.objects.get().closed


def test_the_queue_shows_the_users_own_customers_only(label_set: LabelSet, annotator: Client) -> None:
    text = text_of(annotator.get(url(label_set, "annotate")))

    assert "Shop C1" in text
    assert "Shop C2" in text  # carried along
    assert "Shop X9" not in text
    assert "Closes the shop &lt;b&gt;in May&lt;/b&gt;." in text
    assert "0 of 3 labelled" in text


def test_an_answer_that_waits_for_a_second_person_does_not_seem_lost(
    label_set: LabelSet, annotator: Client
) -> None:
    LabelSet.objects.update(annotators=2)
    for code in ("C1", "C2"):
        item = LabelItem.objects.get(customer_id=code)
        annotator.post(url(label_set, "answer"), {"item": item.pk, "answer": "label:left", "seconds": ""})
    text = text_of(annotator.get(url(label_set, "annotate")))

    assert "0 of 3 labelled; each takes the answers of 2 people" in text
    assert "You are asked only about customers that you may see." in text


def test_an_answer_by_plain_form_goes_on_to_the_next(
    label_set: LabelSet, annotator: Client, owner: "User"
) -> None:
    item = LabelItem.objects.get(customer_id="C1")
    answer = annotator.post(
        url(label_set, "answer"),
        {"item": item.pk, "answer": "label:left", "reason": "Said so", "seconds": ""},
    )

    assert (answer.status_code, answer["Location"]) == (302, url(label_set, "annotate"))
    said = Annotation.objects.get()
    assert (said.user, said.label, said.reason, said.seconds) == (owner, "left", "Said so", None)
    item.refresh_from_db()
    assert (item.status, item.label) == (ItemStatus.AGREED, "left")
    assert "1 of 3 labelled" in text_of(annotator.get(url(label_set, "annotate")))


def test_the_script_gets_the_item_after_the_one_it_shows(label_set: LabelSet, annotator: Client) -> None:
    first, second = LabelItem.objects.filter(customer_id__startswith="C").order_by("place")
    answer = script(
        annotator,
        url(label_set, "answer"),
        item=first.pk,
        answer="skip",
        showing=second.pk,
        seconds="2.5",
    ).json()

    assert f'data-item="{first.pk}"' in answer["next"]  # the skipped one: nothing else is left
    assert answer["progress"] == {"done": 0, "of": 3, "text": "0 of 3 labelled"}
    assert Annotation.objects.get().seconds == 2.5


def test_undo_takes_back_and_asks_again(label_set: LabelSet, annotator: Client) -> None:
    item = LabelItem.objects.get(customer_id="C1")
    script(annotator, url(label_set, "answer"), item=item.pk, answer="label:left", reason="Hm")

    shown = script(annotator, url(label_set, "undo")).json()["item"]
    assert f'data-item="{item.pk}"' in shown
    assert 'value="Hm"' in shown
    item.refresh_from_db()
    assert item.status == ItemStatus.OPEN
    assert script(annotator, url(label_set, "undo")).status_code == 409

    annotator.post(url(label_set, "answer"), {"item": item.pk, "answer": "label:stayed"})
    back = annotator.post(url(label_set, "undo"))
    assert back["Location"] == f"{url(label_set, 'annotate')}?item={item.pk}"
    assert "Shop C1" in text_of(annotator.get(back["Location"]))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"answer": "label:gone"}, 400),
        ({"answer": ""}, 400),
        ({"answer": "withdrawn"}, 400),
        ({"answer": "label:left", "reason": "x" * 501}, 400),
        ({"answer": "label:left", "item": "X9"}, 404),
        ({"answer": "label:left", "item": "9" * 30}, 404),
    ],
)
def test_bad_answers_are_refused(
    label_set: LabelSet, annotator: Client, data: dict[str, str], status: int
) -> None:
    item = LabelItem.objects.get(customer_id="C1")
    answer = script(annotator, url(label_set, "answer"), **{"item": item.pk, **data})

    assert answer.status_code == status
    assert not Annotation.objects.exists()


def test_a_foreign_item_cannot_be_answered(label_set: LabelSet, annotator: Client) -> None:
    foreign = LabelItem.objects.get(customer_id="X9")

    assert (
        script(annotator, url(label_set, "answer"), item=foreign.pk, answer="label:left").status_code == 404
    )
    assert not Annotation.objects.exists()


def test_a_ready_made_set_is_offered_and_made(agent: Agent, keeper: Client) -> None:
    path = f"/admin/crm_agents/agent/{agent.pk}/labels/new/"
    page = keeper.get(path)
    assert "Intent of an interaction" in text_of(page)
    values = {name: page.context["form"][name].value() for name in page.context["form"].fields}

    answer = keeper.post(path, {**values, "annotators": 2})

    made = LabelSet.objects.get()
    assert answer["Location"] == url(made)
    assert (made.name, made.subject, made.annotators) == ("Intent of an interaction", "interaction", 2)
    assert made.choices[0] == {"value": "information", "text": "Information", "key": "1"}
    assert AuditEntry.objects.get().detail == {"created": made.pk}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answers": "left"}, "1 answers; give 2 to 200."),
        ({"answers": "left\nleft"}, "is there twice"),
        ({"answers": "le,ft\nstayed"}, "cannot be stored as an answer"),
        ({"answers": "*left\n*stayed"}, "Two answers carry an asterisk"),
        ({"random_share": "2"}, "less than or equal to 1"),
        ({"annotators": "0"}, "greater than or equal to 1"),
        ({"name": "Left"}, "has a label set named"),
    ],
)
def test_a_bad_set_is_refused_at_its_field(
    label_set: LabelSet, keeper: Client, changes: dict[str, str], words: str
) -> None:
    good = {"name": "Other", "subject": "customer", "question": "Left?", "answers": "left\nstayed"}
    path = f"/admin/crm_agents/agent/{label_set.agent_id}/labels/new/"

    answer = keeper.post(path, {**good, "random_share": "0.2", "annotators": "1", **changes})

    assert answer.status_code == 200
    assert words in text_of(answer)
    assert LabelSet.objects.count() == 1


def test_filling_is_asked_of_a_worker(
    label_set: LabelSet, keeper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, int]] = []

    def send(task: str, pk: int) -> bool:
        sent.append((task, pk))
        return True

    monkeypatch.setattr(jobs, "_send", send)

    assert keeper.post(url(label_set, "fill"), {"size": "50"})["Location"] == url(label_set)
    assert sent == [("crm_agents.tasks.fill_label_set", label_set.pk)]
    assert "It is queued" in text_of(keeper.get(url(label_set)))
    assert "Ensure this value is less than" in text_of(keeper.post(url(label_set, "fill"), {"size": "50000"}))
    assert len(sent) == 1


def test_a_queue_out_of_reach_is_said(
    label_set: LabelSet, keeper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_send", lambda task, pk: False)
    keeper.post(url(label_set, "errors/search"))

    assert "The queue cannot be reached. The work is stored" in text_of(keeper.get(url(label_set, "errors")))


def test_a_dispute_is_decided(label_set: LabelSet, keeper: Client) -> None:
    LabelSet.objects.update(annotators=2)
    label_set.refresh_from_db()
    item = LabelItem.objects.get(customer_id="C1")
    item.label_set = label_set
    for name, label in (("anna", "left"), ("wei", "stayed")):
        annotate(item, user=staff(name), label=label, reason=f"{name} knows")
    page = text_of(keeper.get(url(label_set, "disputes")))
    assert "anna knows" in page
    assert "wei knows" in page
    assert "-0.000" not in page

    keeper.post(url(label_set, "disputes"), {"item": item.pk, "label": "stayed"})

    item.refresh_from_db()
    assert (item.status, item.label, item.decided) == (ItemStatus.AGREED, "stayed", True)
    assert "Nobody disagrees." in text_of(keeper.get(url(label_set, "disputes")))


def test_a_likely_error_is_shown_and_changed(label_set: LabelSet, keeper: Client) -> None:
    item = LabelItem.objects.get(customer_id="C1")
    LabelItem.objects.filter(pk=item.pk).update(
        status=ItemStatus.AGREED, label="left", suspicion=0.93, probabilities={"left": 0.07, "stayed": 0.93}
    )
    page = text_of(keeper.get(url(label_set, "errors")))
    assert "93 %" in page
    assert "the model expected: Stays" in page

    keeper.post(url(label_set, "errors"), {"item": item.pk, "label": "?"})

    item.refresh_from_db()
    assert (item.status, item.label, item.suspicion) == (ItemStatus.UNKNOWN, "", None)
    assert "No label is doubted." in text_of(keeper.get(url(label_set, "errors")))


def test_labels_are_exported_and_the_audit_keeps_it(label_set: LabelSet, keeper: Client) -> None:
    answer: Any = keeper.post(url(label_set, "export"), {"format": "jsonl"})
    lines = b"".join(answer.streaming_content).decode().splitlines()

    assert [json.loads(line)["customer"] for line in lines] == ["X9", "C1", "C2"]
    entry = AuditEntry.objects.filter(action="labels.exported").get()
    assert (entry.detail, str(entry.user)) == ({"format": "jsonl"}, "keeper")
    assert keeper.post(url(label_set, "export"), {"format": "exe"}).status_code == 302
    assert AuditEntry.objects.filter(action="labels.exported").count() == 1


def test_a_file_is_imported_or_its_mistakes_are_listed(label_set: LabelSet, keeper: Client) -> None:
    def upload(text: str, name: str = "labels.csv") -> Any:
        return keeper.post(url(label_set, "import"), {"file": SimpleUploadedFile(name, text.encode())})

    header = "customer,at,label\n"
    bad = upload(header + "C1,2026-03-01,gone\nNobody,2026-03-01,left\n")
    assert "Line 2: label is &#x27;gone&#x27;; one of left, stayed, or empty." in text_of(bad)
    assert not LabelItem.objects.exclude(status=ItemStatus.OPEN).exists()

    assert "Line 3: There is no customer" in text_of(
        upload(header + "C1,2026-03-01,left\nNo,2026-03-01,left\n")
    )
    assert "neither .csv nor .jsonl" in text_of(upload("x", "labels.xlsx"))
    assert "No file is chosen" in text_of(keeper.post(url(label_set, "import")))
    assert LabelItem.objects.count() == 3

    good = upload(header + f"C1,{AT.isoformat()},left\n")
    assert good["Location"] == url(label_set)
    assert LabelItem.objects.get(customer_id="C1").label == "left"


def test_closing_ends_the_questions(label_set: LabelSet, keeper: Client, annotator: Client) -> None:
    keeper.post(url(label_set, "close"), {"closed": "1"})

    assert "This label set is closed." in text_of(annotator.get(url(label_set, "annotate")))
    keeper.post(url(label_set, "close"), {"closed": "0"})
    assert "Shop C1" in text_of(annotator.get(url(label_set, "annotate")))


def test_the_labels_of_a_set_can_be_kept_from_training(label_set: LabelSet, keeper: Client) -> None:
    assert keeper.post(url(label_set, "train"), {"trains": "0"})["Location"] == url(label_set)

    assert not LabelSet.objects.get().trains
    assert "does not train" in text_of(keeper.get(url(label_set)))
    assert AuditEntry.objects.order_by("pk").last().detail == {"trains": False}  # type: ignore[union-attr]


def test_pages_read_the_same_number_of_rows_however_many_items(
    label_set: LabelSet, keeper: Client, django_assert_max_num_queries: Any
) -> None:
    LabelItem.objects.bulk_create(
        LabelItem(label_set=label_set, customer_id="C1", key=str(n), at=AT, place=n) for n in range(300)
    )
    LabelItem.objects.filter(key__gt="").update(status=ItemStatus.AGREED, label="left", suspicion=0.5)
    with django_assert_max_num_queries(13):
        keeper.get(url(label_set))
    with django_assert_max_num_queries(13):
        keeper.get(url(label_set, "errors"))
    with django_assert_max_num_queries(40):
        keeper.get(url(label_set, "annotate"))


def test_the_agents_page_leads_to_its_sets(
    agent: Agent, keeper: Client, viewer: Client, label_set: LabelSet
) -> None:
    path = f"/admin/crm_agents/agent/{agent.pk}/change/"

    assert "New label set" in text_of(keeper.get(path))
    assert "New label set" not in text_of(viewer.get(path))
    listed = keeper.get(f"{BASE}?agent__id__exact={agent.pk}")
    assert "Has this customer left?" in text_of(listed)
