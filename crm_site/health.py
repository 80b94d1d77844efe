"""For load balancers: is the process alive, and can it do its work."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.db import connection
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse

from crm_agents.models import TrainingRun
from crm_agents.models.scoring import ScoringShard
from crm_data.conf import setting

PATIENCE = 2  # seconds that the broker may take to answer
BOUNDED = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "read_timeout": PATIENCE,
    "write_timeout": PATIENCE,
}


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 where database and broker answer, else 503; `last_heartbeat`: a worker last renewed a lease."""
    checks = {"database": _state(_database), "broker": _state(_broker)}
    ready = set(checks.values()) == {"ok"}
    heartbeat = _last_heartbeat() if checks["database"] == "ok" else None
    body: dict[str, Any] = {"status": "ok" if ready else "unavailable", **checks, "last_heartbeat": heartbeat}
    return JsonResponse(body, status=200 if ready else 503)


def _state(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # noqa: BLE001  whatever it is, the answer is "not ready", and its kind
        return type(error).__name__
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=BOUNDED) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)


def _last_heartbeat() -> str | None:
    until = [model.objects.aggregate(at=Max("lease_until"))["at"] for model in (TrainingRun, ScoringShard)]
    known = [moment for moment in until if moment is not None]
    return (max(known) - timedelta(seconds=setting("LEASE_SECONDS"))).isoformat() if known else None
