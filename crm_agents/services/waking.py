"""Wake-up messages. The row is stored first; a message that cannot be sent costs time, never work."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from amqp.exceptions import AMQPError
from celery import current_app
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu import Connection
from kombu.exceptions import KombuError

from crm_agents.models import Leased, RunStatus, ScoringShard, TrainingRun

logger = logging.getLogger(__name__)

TASKS: dict[type[Leased], str] = {
    TrainingRun: "crm_agents.tasks.execute_run",
    ScoringShard: "crm_agents.tasks.score_shard",
}
# A web request waits for the queue no longer than about this many seconds.
PATIENCE = 3
IMPATIENT = {
    "max_retries": 1,
    "interval_start": 0.1,
    "interval_step": 0.1,
    "connect_retries_timeout": PATIENCE,
    "socket_connect_timeout": PATIENCE,  # Redis
    "socket_timeout": PATIENCE,  # Redis
    "read_timeout": PATIENCE,  # RabbitMQ
    "write_timeout": PATIENCE,  # RabbitMQ
}


def wake(rows: Sequence[Leased]) -> None:
    """Send a message for each queued row once the current transaction is committed."""
    transaction.on_commit(partial(send, rows))


def send(rows: Sequence[Leased]) -> bool:
    """Send now. Where the queue cannot be reached, note that on the rows and leave them to the sweeper."""
    if not rows or _reached(lambda connection: _publish(connection, rows)):
        return True
    _note(rows, _("The queue cannot be reached. The work is stored and starts once it can."))
    return False


def ask(task: str, *arguments: str) -> bool:
    """Send a message that nothing waits for; False, after the same patience, where it could not be sent."""

    def publish(connection: Connection) -> None:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)
        current_app.send_task(task, args=list(arguments), connection=connection, retry=False)

    return _reached(publish)


def _reached(publish: Callable[[Connection], None]) -> bool:
    connection = current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=IMPATIENT)
    errors: tuple[type[BaseException], ...] = (
        OSError,
        KombuError,
        AMQPError,
        *connection.connection_errors,
        *connection.channel_errors,
    )
    try:
        publish(connection)
    except errors as error:
        logger.warning("The queue cannot be reached: %s", error)
        return False
    finally:
        with suppress(*errors):
            connection.release()
    return True


def _publish(connection: Connection, rows: Sequence[Leased]) -> None:
    connection.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)
    for row in rows:
        current_app.send_task(TASKS[type(row)], args=[str(row.pk)], connection=connection, retry=False)
        row.woken_at, row.notice = timezone.now(), ""
        _queued(row).update(woken_at=row.woken_at, notice="")


def _note(rows: Sequence[Leased], notice: str) -> None:
    for row in rows:
        if row.woken_at is None:
            row.notice = notice
            _queued(row).update(notice=notice)


def _queued(row: Leased) -> QuerySet[Leased]:
    return type(row)._default_manager.filter(pk=row.pk, status=RunStatus.QUEUED)
