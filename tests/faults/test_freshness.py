"""Freshness with a real worker: from a written interaction to another list, and what goes wrong between."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from crm_agents.models import Agent, FreshScore, News
from crm_agents.services.freshness import WARM_UP, refresh
from crm_agents.services.waking import ask
from crm_data.models import Interaction, Product
from tests.published import AS_OF, publish
from tests.shop import open_shop
from tests.worker import WorkerProcess, empty_queues, wait_for

pytestmark = pytest.mark.worker

Stub = Callable[..., None]
OLD = {"source": "model", "items": [{"product": "P1", "score": 0.3, "reasons": []}]}
URL = "/api/v1/customers/C1/recommendations/"


@pytest.fixture
def live(transactional_db: None, stub: Stub) -> Iterator[Agent]:
    """A shop with published scores, nothing in the queues, and a stub for the model."""
    empty_queues()
    open_shop()
    Product.objects.create(code="P2", name="Spade", price=3)
    yield publish("recommender", {f"C{number}": (0.3, OLD) for number in range(1, 7)})
    empty_queues()


@pytest.fixture
def api(transactional_db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("boss"))
    return client


def buys(api: APIClient, product: str = "P2") -> None:
    row = {"customer": "C1", "kind": "purchase", "at": timezone.now().isoformat(), "product": product}
    assert api.post("/api/v1/interactions/", {"rows": [row]}, format="json").status_code == 201


def listed(api: APIClient) -> list[str]:
    return [item["product"] for item in api.get(URL).json()["items"]]


def children(folder: Path) -> list[int]:
    file = folder / "serving"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_purchase_over_rest_changes_the_list_and_a_second_one_again(
    live: Agent, api: APIClient, tmp_path: Path, agents_root: Path
) -> None:
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: children(agents_root), about=worker.log)  # loaded before anybody asks
        assert FreshScore.objects.count() == 0
        buys(api)
        wait_for(lambda: listed(api) == ["P2", "P1"], about=worker.log)
        buys(api, "P1")
        wait_for(lambda: listed(api) == ["P1", "P2"], about=worker.log)
        (child,) = children(agents_root)
    wait_for(lambda: not is_alive(child), seconds=10)
    assert News.objects.count() == 0


def test_the_child_dies_with_its_killed_worker_and_the_next_one_goes_on(
    live: Agent, api: APIClient, stub: Stub, tmp_path: Path, agents_root: Path
) -> None:
    stub(answering=60.0)
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: children(agents_root), about=worker.log)
        buys(api)
        wait_for(lambda: News.objects.filter(attempts=1).exists(), about=worker.log)
        worker.kill()
    (child,) = children(agents_root)
    wait_for(lambda: not is_alive(child), seconds=10)
    assert listed(api) == ["P1"]
    stub()
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: listed(api) == ["P2", "P1"], about=worker.log)


def test_kill_9_of_the_child_amid_a_question_costs_a_moment(
    live: Agent, api: APIClient, stub: Stub, tmp_path: Path, agents_root: Path
) -> None:
    stub(answering=3.0)
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: children(agents_root), about=worker.log)
        buys(api)
        wait_for(lambda: News.objects.filter(attempts=1).exists(), about=worker.log)
        os.kill(children(agents_root)[0], signal.SIGKILL)
        wait_for(lambda: listed(api) == ["P2", "P1"], about=worker.log)
    assert len(children(agents_root)) == 2


def test_written_while_no_worker_runs_it_is_answered_once_one_does(
    live: Agent, api: APIClient, tmp_path: Path
) -> None:
    buys(api)
    assert listed(api) == ["P1"]
    empty_queues()  # the message is lost as well
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: listed(api) == ["P2", "P1"], about=worker.log)


def test_with_the_queue_out_of_reach_the_write_is_stored_and_the_scores_stay(
    live: Agent, api: APIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celery import current_app

    def unreachable(**_options: Any) -> Any:
        from kombu import Connection

        return Connection("redis://127.0.0.1:1/0")

    with monkeypatch.context() as patched:
        patched.setattr(current_app, "connection_for_write", unreachable)
        buys(api)
        assert ask(WARM_UP) is False
    assert Interaction.objects.filter(product__code="P2").count() == 1
    assert listed(api) == ["P1"]
    assert News.objects.count() == 1
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: listed(api) == ["P2", "P1"], about=worker.log)


def test_a_publication_while_it_answers_throws_the_old_answer_away(
    live: Agent, api: APIClient, stub: Stub, tmp_path: Path, agents_root: Path
) -> None:
    stub(answering=2.0)
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: children(agents_root), about=worker.log)
        buys(api)
        wait_for(lambda: News.objects.filter(attempts=1).exists(), about=worker.log)
        later = AS_OF.replace(day=10)
        publish("recommender", {"C1": (0.4, OLD)}, as_of=later)
        wait_for(lambda: FreshScore.objects.exists(), about=worker.log)
    live.refresh_from_db()
    fresh = FreshScore.objects.get()
    assert fresh.scoring_id == live.live_scoring_id
    assert len(children(agents_root)) == 2  # another model, another process
    assert api.get(URL).json()["version"] == 2


def test_a_corrupt_model_leaves_the_published_scores(
    live: Agent, api: APIClient, stub: Stub, tmp_path: Path
) -> None:
    stub(unserved="weights.safetensors differs from its recorded SHA-256: it is damaged or was edited.")
    with WorkerProcess(tmp_path, interactive=True) as worker:
        buys(api)
        wait_for(lambda: not News.objects.exists(), about=worker.log)
        assert "recommender is not kept fresh: weights.safetensors differs" in worker.log.read_text()
    assert listed(api) == ["P1"]


def test_garbage_events_of_one_customer_hold_nobody_up(live: Agent, api: APIClient, tmp_path: Path) -> None:
    odd = Interaction.objects.filter(customer__code="C2").latest("pk")
    odd.currency, odd.quantity, odd.text = "XYZ", 1e300, "\u202e\n" * 999  # no rate is known for it
    odd.save()
    refresh(["C2", "C1", json.dumps({"no": "customer"})])
    with WorkerProcess(tmp_path, interactive=True) as worker:
        wait_for(lambda: not News.objects.exists(), about=worker.log)
        assert "An amount is in XYZ" in worker.log.read_text()
    assert list(FreshScore.objects.values_list("customer_id", flat=True)) == ["C1"]
