import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from crm_agents.models import AuditEntry, ItemStatus, LabelItem
from crm_agents.services.labelling import jobs
from crm_agents.services.labelling.answering import annotate
from crm_agents.services.labelling.filling import fill_queue, reorder
from crm_agents.tasks import fill_label_set, order_label_set
from crm_data.models import Customer, Interaction, OptOut
from tests.crm_agents.labelling.support import annotator, label_set_of
from tests.published import AS_OF, publish

pytestmark = pytest.mark.django_db

INTENTS = [{"value": "parcel", "text": "Parcel"}, {"value": "refund", "text": "Refund"}]
PARCEL = ("Where is my parcel number {}?", "Parcel {} has not arrived", "Track the parcel {} please")
REFUND = ("I want a refund for order {}", "Refund me the money of {}", "Give the money for {} back")


def scored(count: int) -> None:
    """Publish risks 0.00, 0.01 … for as many customers."""
    publish("churn", {f"C{n}": (n / 100, {"reasons": []}) for n in range(count)})


def text_set(**values: Any) -> Any:
    return label_set_of((), name="Intent", subject="interaction", choices=INTENTS, **values)


def write(texts: list[str]) -> None:
    customer, _ = Customer.objects.get_or_create(code="C1")
    now = timezone.now()
    for number, text in enumerate(texts, start=1):
        Interaction.objects.create(
            customer=customer, kind="email", at=now - timedelta(hours=number), text=text
        )


def test_customers_are_queued_by_the_uncertainty_of_their_score() -> None:
    scored(100)
    label_set = label_set_of((), random_share=0.0)

    filled = fill_queue(label_set, size=11)

    assert (filled.added, filled.drawn, filled.population) == (11, 0, 100)
    queue = list(label_set.items.order_by("place"))
    assert {item.customer_id for item in queue} == {f"C{n}" for n in range(45, 56)}
    assert queue[0].customer_id == "C50"
    assert queue[0].probabilities == {"left": 0.5, "stayed": 0.5}
    assert [item.uncertainty for item in queue] == sorted((i.uncertainty for i in queue), reverse=True)
    assert {item.at for item in queue} == {AS_OF}


def test_a_share_is_drawn_from_all_and_spread_over_the_queue() -> None:
    scored(100)
    label_set = label_set_of((), random_share=0.5)

    filled = fill_queue(label_set, size=20, seed=1)

    assert (filled.added, filled.drawn) == (20, 10)
    drawn = [item.drawn for item in label_set.items.order_by("place")]
    assert sum(drawn) == 10
    assert 4 <= sum(drawn[:10]) <= 6
    numbers = [int(item.customer_id[1:]) for item in label_set.items.filter(drawn=True)]
    assert max(numbers) - min(numbers) > 50  # not those near the decision alone


def test_a_second_filling_repeats_nobody() -> None:
    scored(30)
    label_set = label_set_of(())
    fill_queue(label_set, size=20)
    annotate(label_set.items.all()[0], user=annotator("anna"), label="left")

    assert fill_queue(label_set, size=20).added == 10
    assert label_set.items.count() == 30
    assert len(set(label_set.items.values_list("customer_id", flat=True))) == 30
    assert fill_queue(label_set, size=20).added == 0


def test_one_drawn_again_becomes_a_drawn_one() -> None:
    scored(30)
    label_set = label_set_of((), random_share=0.0)
    fill_queue(label_set, size=30)
    label_set.random_share = 1.0

    assert fill_queue(label_set, size=12).added == 0
    assert label_set.items.filter(drawn=True).count() == 12


def test_a_customer_is_asked_about_again_only_after_a_while() -> None:
    scored(3)
    label_set = label_set_of(())
    fill_queue(label_set, size=3)
    LabelItem.objects.filter(customer_id="C1").update(at=AS_OF - timedelta(days=91))
    LabelItem.objects.filter(customer_id="C2").update(at=AS_OF - timedelta(days=89))

    assert fill_queue(label_set, size=3).added == 1
    assert label_set.items.filter(customer_id="C1").count() == 2


def test_without_scores_every_customer_can_be_asked_about() -> None:
    Customer.objects.create(code="C1")
    Customer.objects.create(code="C2")
    label_set = label_set_of(())

    assert fill_queue(label_set, size=10).added == 2
    assert {item.uncertainty for item in label_set.items.all()} == {0.0}
    assert {str(item.probabilities) for item in label_set.items.all()} == {"{}"}


def test_texts_are_queued_once_with_what_was_written() -> None:
    write(["Where is it?", "", "Thanks"])
    label_set = text_set()

    assert fill_queue(label_set, size=10).added == 2
    assert fill_queue(label_set, size=10).added == 0
    row = Interaction.objects.get(text="Thanks")
    item = label_set.items.get(text="Thanks")
    assert (item.customer_id, item.key, item.at) == ("C1", f"crm_data.interaction:{row.pk}", row.at)


def test_questions_are_events_of_that_kind() -> None:
    write(["Where is it?"])
    Interaction.objects.create(
        customer=Customer.objects.get(), kind="question", at=timezone.now(), text="Does it fit?"
    )
    label_set = label_set_of((), name="Solution", subject="question", choices=INTENTS)

    fill_queue(label_set, size=10)

    assert [item.text for item in label_set.items.all()] == ["Does it fit?"]


def test_labels_teach_a_model_that_orders_the_rest() -> None:
    clear = [each.format(n) for n in range(7) for each in (*PARCEL, *REFUND)]
    write([*clear, "The parcel and the refund", "Hello"])
    label_set = text_set(random_share=0.0)
    fill_queue(label_set, size=100)
    anna = annotator("anna")
    for item in label_set.items.filter(text__in=clear[:24]):
        annotate(
            item, user=anna, label="refund" if "efund" in item.text or "money" in item.text else "parcel"
        )
    before = {item.pk: item.place for item in label_set.items.exclude(status=ItemStatus.OPEN)}

    order_label_set(label_set.pk)

    waiting = list(label_set.items.filter(status=ItemStatus.OPEN).order_by("place"))
    assert {waiting[0].text, waiting[1].text} <= {"The parcel and the refund", "Hello"} | set(clear[24:])
    unsure = {item.text: item.uncertainty for item in waiting}
    assert min(unsure["The parcel and the refund"], unsure["Hello"]) > max(unsure[t] for t in clear[24:])
    for item in waiting:
        assert item.probabilities.keys() == {"parcel", "refund"}
        assert sum(item.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert {item.pk: item.place for item in label_set.items.filter(pk__in=before)} == before


def test_an_item_that_somebody_answered_keeps_its_probabilities() -> None:
    clear = [each.format(n) for n in range(5) for each in (*PARCEL, *REFUND)]
    write(clear)
    label_set = text_set(annotators=2)
    fill_queue(label_set, size=100)
    anna, wei = annotator("anna"), annotator("wei")
    half = label_set.items.get(text=clear[-1])
    annotate(half, user=anna, label="refund")
    for item in label_set.items.filter(text__in=clear[:24]):
        for user in (anna, wei):
            annotate(
                item, user=user, label="refund" if "efund" in item.text or "money" in item.text else "parcel"
            )

    reorder(label_set)

    half.refresh_from_db()
    assert half.probabilities == {}
    assert label_set.items.get(text=clear[-2]).probabilities != {}


def test_the_task_leaves_its_facts_in_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_send", lambda task, pk: True)
    scored(10)
    label_set = label_set_of(())
    jobs.request_filling(label_set, size=4, user=annotator("boss"))
    assert label_set.filling["state"] == "queued"

    fill_label_set(label_set.pk)
    fill_label_set(0)  # deleted since

    label_set.refresh_from_db()
    facts = {name: label_set.filling[name] for name in ("state", "size", "added", "population")}
    assert facts == {"state": "done", "size": 4, "added": 4, "population": 10}
    assert AuditEntry.objects.filter(user__username="boss").get().detail == {"filling": 4}
    with pytest.raises(ValueError, match="size is 0; choose 1 to 5000"):
        jobs.request_filling(label_set, size=0)


def test_a_queue_is_filled_once_though_its_worker_dies_and_its_message_comes_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "_send", lambda task, pk: True)
    scored(10)
    label_set = label_set_of(())
    jobs.request_filling(label_set, size=4)
    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.labelling.filling.reorder", lambda *_, **__: sys.exit(9))
        with pytest.raises(SystemExit):
            fill_label_set(label_set.pk)
    assert label_set.items.count() == 4
    label_set.refresh_from_db()
    assert label_set.filling["state"] == "queued"

    fill_label_set(label_set.pk)
    label_set.refresh_from_db()
    done = label_set.filling
    assert (done["state"], done["size"], done["added"], label_set.items.count()) == ("done", 4, 4, 4)
    assert sorted(label_set.items.values_list("place", flat=True)) == [0, 1, 2, 3]
    fill_label_set(label_set.pk)
    label_set.refresh_from_db()
    assert (label_set.filling, label_set.items.count()) == (done, 4)


def test_a_failure_is_kept_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    label_set = label_set_of(())
    label_set.filling = {"size": 3, "state": "queued"}
    label_set.save()
    monkeypatch.setattr("crm_agents.services.labelling.filling.candidates", lambda _set: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        fill_label_set(label_set.pk)

    label_set.refresh_from_db()
    assert label_set.filling["state"] == "failed"
    assert label_set.filling["error"] == "division by zero"


def test_a_model_looks_again_after_each_twenty_labels(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []

    def send(task: str, pk: int) -> bool:
        sent.append(task)
        return True

    monkeypatch.setattr(jobs, "_send", send)
    write([each.format(n) for n in range(7) for each in (*PARCEL, *REFUND)])
    label_set = text_set()
    fill_queue(label_set, size=100)
    anna = annotator("anna")
    with django_capture_on_commit_callbacks(execute=True):
        for item in label_set.items.all()[:41]:
            annotate(item, user=anna, label="parcel")

    assert sent == ["crm_agents.tasks.order_label_set"] * 2


def test_what_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = [False]
    sent: list[tuple[str, int]] = []

    def send(task: str, pk: int) -> bool:
        sent.append((task, pk))
        return reached[0]

    monkeypatch.setattr(jobs, "_send", send)
    label_set = label_set_of(())
    start = datetime(2026, 3, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False):
        assert not jobs.request_filling(label_set, size=4)
        assert label_set.filling["state"] == "unreachable"
        reached[0] = True
        assert jobs.resend_lost() == 1
        assert jobs.resend_lost() == 0  # a worker may be at it
    with time_machine.travel(start + timedelta(minutes=11), tick=False):
        assert jobs.resend_lost() == 1
    label_set.refresh_from_db()
    assert label_set.filling["size"] == 4
    fill_label_set(label_set.pk)
    with time_machine.travel(start + timedelta(days=1), tick=False):
        assert jobs.resend_lost() == 0
    assert sent == [("crm_agents.tasks.fill_label_set", label_set.pk)] * 3


def test_customers_who_opted_out_are_not_asked_about() -> None:
    scored(3)
    OptOut.objects.create(customer_id="C1")
    label_set = label_set_of(())

    assert fill_queue(label_set, size=10).added == 2
    assert {item.customer_id for item in label_set.items.all()} == {"C0", "C2"}
