import datetime as dt
import threading
import time
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from crm_agents.models import Feedback, IdempotentRequest

URL = "/api/v1/feedback/"
GIVEN = {"agent": "recommender", "customer_id": "C1", "item": "P1", "verdict": "accepted"}


def send(api: Any, key: str, **changes: Any) -> Any:
    return api.post(URL, {**GIVEN, **changes}, format="json", headers={"Idempotency-Key": key})


def test_the_same_write_sent_twice_is_done_once(api: Any, live_recommender: Any) -> None:
    first, second = send(api, "k1"), send(api, "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Feedback.objects.count() == 1


def test_without_a_key_it_is_done_twice(api: Any, live_recommender: Any) -> None:
    for _ in range(2):
        api.post(URL, GIVEN, format="json")
    assert Feedback.objects.count() == 2
    assert not IdempotentRequest.objects.exists()


def test_the_order_of_members_does_not_make_another_body(api: Any, live_recommender: Any) -> None:
    send(api, "k1")
    turned = dict(reversed(GIVEN.items()))
    assert api.post(URL, turned, format="json", headers={"Idempotency-Key": "k1"}).status_code == 201
    assert Feedback.objects.count() == 1


def test_the_key_with_another_body_is_refused(api: Any, live_recommender: Any) -> None:
    send(api, "k1")
    answer = send(api, "k1", verdict="wrong")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:problem:crm-agents:idempotency-key-reused"
    assert [feedback.verdict for feedback in Feedback.objects.all()] == ["accepted"]


def test_the_first_request_at_work_makes_the_second_wait(api: Any, rep: Any, live_recommender: Any) -> None:
    send(api, "k1")
    IdempotentRequest.objects.update(status=None, response=None)
    answer = send(api, "k1")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:problem:crm-agents:request-in-progress"
    assert answer.headers["Retry-After"] == "1"
    assert Feedback.objects.count() == 1


def test_a_request_whose_process_died_is_taken_over(api: Any, live_recommender: Any) -> None:
    send(api, "k1")
    Feedback.objects.all().delete()  # what a crash before the commit leaves: a claim, and no write
    long_ago = timezone.now() - dt.timedelta(minutes=2)
    IdempotentRequest.objects.update(status=None, response=None, created_at=long_ago)
    assert send(api, "k1").status_code == 201
    assert Feedback.objects.count() == 1
    assert IdempotentRequest.objects.get().status == 201


def test_a_refused_write_gives_its_key_free(api: Any, live_recommender: Any) -> None:
    assert send(api, "k1", verdict="meh").status_code == 400
    assert not IdempotentRequest.objects.exists()
    assert send(api, "k1").status_code == 201


def test_an_answer_is_kept_for_a_day(api: Any, live_recommender: Any) -> None:
    send(api, "k1")
    IdempotentRequest.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert send(api, "k1", verdict="wrong").status_code == 201
    assert Feedback.objects.count() == 2
    assert IdempotentRequest.objects.count() == 1


def test_keys_of_two_users_are_two_keys(api: Any, manager_api: Any, live_recommender: Any) -> None:
    send(api, "k1")
    assert send(manager_api, "k1", verdict="wrong").status_code == 201
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize("key", ["", "k" * 201, "schlüssel"])
def test_a_key_that_cannot_be_kept_is_refused(api: Any, live_recommender: Any, key: str) -> None:
    answer = send(api, key)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert not Feedback.objects.exists()


def test_a_write_that_was_taken_over_is_undone(
    api: Any, live_recommender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = import_module("crm_agents.api.feedback")

    def slow(*args: Any, **kwargs: Any) -> Any:
        IdempotentRequest.objects.update(created_at=timezone.now())  # another request took it over
        return give(*args, **kwargs)

    give = module.give_feedback
    monkeypatch.setattr(module, "give_feedback", slow)
    assert send(api, "k1").status_code == 409
    assert not Feedback.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_write_once(
    api: Any, live_recommender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = import_module("crm_agents.api.feedback")

    entered, give = threading.Event(), module.give_feedback

    def slow(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        time.sleep(0.5)
        return give(*args, **kwargs)

    def first() -> None:
        try:
            answers.append(send(api, "k1"))
        finally:
            connection.close()

    monkeypatch.setattr(module, "give_feedback", slow)
    answers: list[Any] = []
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    second = send(api, "k1")
    thread.join(20)
    assert answers[0].status_code == 201
    # PostgreSQL shows the claim at once; SQLite lets the second writer wait for the first one's answer.
    assert second.status_code == 409 or second.headers["Idempotent-Replayed"] == "true"
    assert Feedback.objects.count() == 1
    assert send(api, "k1").json() == answers[0].json()
