"""What is known of one customer now, in the tables of a snapshot and by the code that builds one."""

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_data import reading
from crm_data.extraction import event_frames
from crm_data.selectors import get_source
from crm_data.services import tables
from crm_data.source import Source
from handoff.dataset import EVENTS
from handoff.errors import HandoffError
from handoff.serving import Known

MOST_EVENTS = 200_000  # of one customer: an account that collects everybody's purchases is left to the nights


def known_of(customer_id: str, tenant: str = "") -> Known | None:
    """Return a customer's events up to now, attributes and labels; None where the CRM has no such customer.

    Raises HandoffError where it is too much for one question, UnknownCurrency as a snapshot does.
    """
    source = get_source()
    with source.scope(tenant), tempfile.TemporaryDirectory() as spool:
        people = tables.customer_frame(source, _only(source, customer_id))
        if people.is_empty():
            return None
        frames = list(_events(source, customer_id, Path(spool)))
        return Known(pl.concat([EVENTS.to_frame(), *frames]), people, tables.label_frame(tenant, customer_id))


def _only(source: Source, customer_id: str) -> QuerySet[Any]:
    mapping = source.customers
    native = reading.native_keys(reading.model_of(mapping.model), mapping.key, [customer_id])
    return reading.customers(source).filter(**{f"{mapping.key}__in": list(native)})


def _events(source: Source, customer_id: str, spool: Path) -> Iterator[pl.DataFrame]:
    now, found = timezone.now().astimezone(dt.UTC), 0
    for mapping in source.interactions:
        path = reading.customer_path(source, mapping)
        native = reading.native_keys(reading.model_of(mapping.model), path, [customer_id])
        if not native:
            continue
        rows = reading.events(source, mapping).filter(**{f"{path}__in": list(native)})
        rows = rows.filter(crm_at__lte=reading.in_type_of("crm_at", source, rows, now))
        for frame in event_frames(source, rows, spool, Counter()):
            found += len(frame)
            if found > MOST_EVENTS:
                raise HandoffError(
                    _("This customer has more than %(most)s events; the next scoring counts the new ones.")
                    % {"most": f"{MOST_EVENTS:,}"}
                )
            yield frame
