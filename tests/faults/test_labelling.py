"""A label set's work on a real worker: what it loads there works in a child of its pool, and survives."""

from pathlib import Path

import pytest

from crm_agents.models import Agent, ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling.jobs import request_filling, request_search
from crm_agents.services.labelling.sets import create_label_set
from tests.worker import WorkerProcess, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]

CHOICES: list[dict[str, object]] = [
    {"value": "left", "text": "Has left"},
    {"value": "stayed", "text": "Stays"},
]


def state(label_set: LabelSet, field: str) -> str:
    label_set.refresh_from_db()
    return str(getattr(label_set, field).get("state"))


def test_a_worker_fills_the_queue_and_finds_errors(agent: Agent, tmp_path: Path) -> None:
    label_set = create_label_set(
        agent, name="Left", subject="customer", question="Left?", choices=CHOICES, random_share=0.5
    )
    with WorkerProcess(tmp_path) as worker:
        assert request_filling(label_set, size=4)
        wait_for(lambda: state(label_set, "filling") == "done", about=worker.log)
        assert label_set.items.count() == 4

        LabelItem.objects.bulk_create(
            LabelItem(
                label_set=label_set,
                customer_id=f"N{number}",
                at=label_set.created_at,
                text="we close the shop" if number % 2 else "send more candles",
                status=ItemStatus.AGREED,
                label="left" if number % 2 or number == 30 else "stayed",
            )
            for number in range(60)
        )
        assert request_search(label_set)
        wait_for(lambda: state(label_set, "search") == "done", seconds=60, about=worker.log)
    assert label_set.search["found"] == 1
    assert label_set.items.get(suspicion__isnull=False).customer_id == "N30"


def test_what_was_asked_for_before_the_worker_came_is_done(agent: Agent, tmp_path: Path) -> None:
    label_set = create_label_set(agent, name="Left", subject="customer", question="Left?", choices=CHOICES)
    LabelSet.objects.update(
        filling={"state": "queued", "size": 3, "at": "2026-01-01T00:00:00+00:00"}
    )  # its message is lost
    with WorkerProcess(tmp_path) as worker:
        wait_for(lambda: state(label_set, "filling") == "done", about=worker.log)
    assert label_set.items.count() == 3
