import time
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_agents.models import RunStatus, TrainingRun
from crm_agents.services.agents import get_agent
from crm_site import health
from crm_site.celery import app as crm_site_app


def test_a_live_process_says_so_without_looking_at_anything(client: Any) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_with_database_and_broker(client: Any, db: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "database": "ok", "broker": "ok", "last_heartbeat": None},
    )


def test_the_last_heartbeat_is_when_a_lease_was_last_renewed(client: Any, db: None) -> None:
    until = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    TrainingRun.objects.create(agent=get_agent("churn"), status=RunStatus.TRAINING, lease_until=until)
    assert client.get("/readyz").json()["last_heartbeat"] == "2026-03-01T12:00:00+00:00"


def test_without_a_database_it_is_not_ready(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ConnectionError("password=secret")

    monkeypatch.setattr(health, "_database", broken)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "database": "ConnectionError",
        "broker": "ok",
        "last_heartbeat": None,
    }


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//", "redis://192.0.2.1:6379/0"])
def test_a_broker_out_of_reach_is_said_in_bounded_time(
    client: Any, db: None, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    app_class = type(crm_site_app)
    connect = app_class.connection_for_write
    monkeypatch.setattr(
        app_class,
        "connection_for_write",
        lambda app, *args, **kwargs: connect(app, url, **kwargs),
    )
    started = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - started < 6
    assert (answer.status_code, answer.json()["broker"]) == (503, "OperationalError")
