import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app

from crm_agents.models import Agent, RunStatus, TrainingRun
from crm_agents.services.runs import start_run
from crm_agents.services.sweeping import sweep
from crm_site.filesystem_broker import transport_options

pytestmark = pytest.mark.django_db(transaction=True)

NOTICE = "The queue cannot be reached. The work is stored and starts once it can."


@pytest.fixture
def broker() -> Iterator[Callable[..., None]]:
    """Point the queue elsewhere."""
    before = {name: current_app.conf.get(name) for name in ("broker_write_url", "broker_transport_options")}

    def use(url: str, **options: Any) -> None:
        current_app.conf.update(broker_write_url=url, broker_transport_options=options)

    yield use
    current_app.conf.update(before)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("silent", [False, True])
def test_a_queue_that_is_down_loses_no_run_and_holds_nobody_up(
    agent: Agent, broker: Callable[..., None], silent_port: int, scheme: str, silent: bool
) -> None:
    broker(f"{scheme}://127.0.0.1:{silent_port if silent else free_port()}//")
    started = time.monotonic()
    run = start_run(agent)

    assert time.monotonic() - started < 10
    assert run.notice == NOTICE
    run.refresh_from_db()
    assert (run.status, run.notice, run.woken_at) == (RunStatus.QUEUED, NOTICE, None)


def test_the_sweeper_wakes_the_run_once_the_queue_is_back(
    agent: Agent, broker: Callable[..., None], tmp_path: Any
) -> None:
    broker(f"redis://127.0.0.1:{free_port()}/")
    run = start_run(agent)
    assert sweep() == 0

    broker("folder://localhost/", **transport_options(tmp_path / "broker"))
    assert sweep() == 1
    run.refresh_from_db()
    assert run.notice == ""
    assert run.woken_at is not None
    (message,) = (tmp_path / "broker" / "messages").iterdir()
    assert message.name.endswith(".gpu.msg")
    assert sweep() == 0


def test_a_folder_that_cannot_be_written_counts_as_down(
    agent: Agent, broker: Callable[..., None], tmp_path: Any
) -> None:
    options = transport_options(tmp_path / "broker")
    (tmp_path / "broker" / "messages").rmdir()
    broker("folder://localhost/", **options)

    assert start_run(agent).notice == NOTICE
    assert TrainingRun.objects.get().status == RunStatus.QUEUED
