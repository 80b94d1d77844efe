"""Work on a label set that no page waits for: asked for here, done on a worker, its state in the row."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from kombu.exceptions import KombuError

from crm_agents.models import LabelSet
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.waking import IMPATIENT, PATIENCE

logger = logging.getLogger(__name__)

LARGEST_FILLING = 5_000
QUEUED, UNREACHABLE = WAITING = ("queued", "unreachable")
FILL = "crm_agents.tasks.fill_label_set"
SEARCH = "crm_agents.tasks.search_label_errors"
ORDER = "crm_agents.tasks.order_label_set"
FIELDS = {FILL: "filling", SEARCH: "search"}
STORED = "stored"  # in the facts of a filling whose items are there and not yet in order
LOST_AFTER = timedelta(minutes=10)  # no filling or search takes that long; its worker has died


def request_filling(label_set: LabelSet, *, size: int, user: audit.Actor = None) -> bool:
    """Ask for `size` more items; False where the queue of work is out of reach.

    Raises ValueError for a size that is no such number.
    """
    if not 1 <= size <= LARGEST_FILLING:
        raise ValueError(f"size is {size}; choose 1 to {LARGEST_FILLING}.")
    audit.record(label_set.agent, AuditAction.LABELS_CHANGED, label_set, user=user, detail={"filling": size})
    return _request(label_set, FILL, size=size)


def request_search(label_set: LabelSet) -> bool:
    """Ask for a search for label errors; False where the queue is out of reach."""
    return _request(label_set, SEARCH)


def resend_lost() -> int:
    """Ask again for what no worker has done in time, or could not be told of; return how much."""
    waiting = Q(filling__state__in=WAITING) | Q(search__state__in=WAITING)
    return sum(
        _request(label_set, task, **_asked(facts))
        for label_set in LabelSet.objects.filter(waiting)
        for task, field in FIELDS.items()
        if _is_lost(facts := getattr(label_set, field))
    )


def fill_label_set(label_set_id: int) -> None:
    """Do what `request_filling` asked for."""
    _work(label_set_id, FILL, _fill)


def search_label_errors(label_set_id: int) -> None:
    """Do what `request_search` asked for."""
    _work(label_set_id, SEARCH, _search)


def request_ordering(label_set: LabelSet) -> None:
    """Have the open items put in order anew once the present transaction is committed."""
    transaction.on_commit(partial(_send, ORDER, label_set.pk))


def order_label_set(label_set_id: int) -> None:
    """Do what `request_ordering` asked for."""
    from crm_agents.services.labelling.filling import reorder  # loads scikit-learn

    label_set = LabelSet.objects.filter(pk=label_set_id).first()
    if label_set is not None:
        reorder(label_set)


def _fill(label_set: LabelSet) -> dict[str, Any] | None:
    """Fill the queue and return what was done; None where another worker has done it meanwhile."""
    from crm_agents.services.labelling.filling import Filled, fill_queue, reorder  # loads scikit-learn

    size = int(label_set.filling["size"])

    def note(filled: Filled) -> bool:
        """Store with the items that they are there: who takes over from a dead worker adds no more."""
        row = LabelSet.objects.select_for_update().get(pk=label_set.pk)
        if row.filling.get("state") not in WAITING or STORED in row.filling:
            return False
        label_set.filling = {**row.filling, STORED: asdict(filled)}
        LabelSet.objects.filter(pk=label_set.pk).update(filling=label_set.filling)
        return True

    if STORED in label_set.filling:
        reorder(label_set)
    else:
        fill_queue(label_set, size=size, on_stored=note)
    stored = label_set.filling.get(STORED)
    return None if stored is None else {"size": size, **stored}


def _search(label_set: LabelSet) -> dict[str, Any]:
    from crm_agents.services.labelling.suspects import NothingToSearch, find_suspects  # loads cleanlab

    try:
        return dict(find_suspects(label_set))
    except NothingToSearch as refusal:
        return {"missing": refusal.fact}


def _request(label_set: LabelSet, task: str, **values: Any) -> bool:
    _note(label_set, task, {**values, "state": QUEUED})
    reached = _send(task, label_set.pk)
    if not reached:
        _note(label_set, task, {**values, "state": UNREACHABLE})
    return reached


def _is_lost(facts: dict[str, Any]) -> bool:
    moment = parse_datetime(str(facts.get("at", "")))
    if facts.get("state") != QUEUED or moment is None:
        return facts.get("state") == UNREACHABLE
    return moment < timezone.now() - LOST_AFTER


def _asked(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in ("state", "at")}


def _work(label_set_id: int, task: str, do: Callable[[LabelSet], dict[str, Any] | None]) -> None:
    label_set = LabelSet.objects.select_related("agent__live_scoring").filter(pk=label_set_id).first()
    if label_set is None or getattr(label_set, FIELDS[task]).get("state") not in WAITING:
        return  # deleted since, or done: what seems lost is asked for again, and may only have waited
    try:
        done = do(label_set)
    except Exception as error:
        _note(label_set, task, {"state": "failed", "error": str(error)[:500]})
        raise
    if done is not None:
        _note(label_set, task, {**done, "state": "done"})


def _note(label_set: LabelSet, task: str, state: dict[str, Any]) -> None:
    value = {**state, "at": timezone.now().isoformat()}
    setattr(label_set, FIELDS[task], value)
    LabelSet.objects.filter(pk=label_set.pk).update(**{FIELDS[task]: value})


def _send(task: str, label_set_id: int) -> bool:
    connection = current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=IMPATIENT)
    errors: tuple[type[BaseException], ...] = (
        OSError,
        KombuError,
        AMQPError,
        *connection.connection_errors,
        *connection.channel_errors,
    )
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)
        current_app.send_task(task, args=[label_set_id], connection=connection, retry=False)
    except errors as error:
        logger.warning("The queue cannot be reached: %s", error)
        return False
    finally:
        with suppress(*errors):
            connection.release()
    return True
