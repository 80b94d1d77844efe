"""What people said, as rows of `handoff.dataset.LABELS`: the way from label sets and feedback to training."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from crm_agents.models import Feedback, ItemStatus, LabelItem

CHUNK = 2_000


def training_labels(tenant: str, customer_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield one row of LABELS for each settled item and each last word of feedback, in no order.

    Open and disputed items, those that cannot be told, and sets that are not to train never do. With
    `customer_id`, only what is about that customer.
    """
    only = {} if customer_id is None else {"customer_id": customer_id}
    yield from _of_items(tenant, only)
    yield from _of_feedback(tenant, only)


def _of_items(tenant: str, only: dict[str, str]) -> Iterator[dict[str, Any]]:
    settled = LabelItem.objects.filter(
        label_set__agent__tenant=tenant, label_set__trains=True, status=ItemStatus.AGREED, **only
    )
    columns = settled.order_by().values(
        "key",
        "at",
        "label",
        "text",
        customer=F("customer_id"),
        agent=F("label_set__agent__name"),
        subject=F("label_set__subject"),
        said_at=Coalesce("settled_at", "at"),
    )
    for row in columns.iterator(chunk_size=CHUNK):
        yield dict(row)


def _of_feedback(tenant: str, only: dict[str, str]) -> Iterator[dict[str, Any]]:
    columns = ("agent__name", "customer_id", "item", "verdict", "at", "scoring__as_of")
    rows = _last_words(tenant).filter(**only).values_list(*columns)
    for agent, customer, item, verdict, said_at, as_of in rows.iterator(chunk_size=CHUNK):
        yield {
            "agent": agent,
            "subject": "item" if item else "customer",
            "customer": customer,
            "key": item,
            "at": as_of or said_at,  # scores are deleted in time; what was said of them is not
            "said_at": said_at,
            "label": verdict,
            "text": "",
        }


def _last_words(tenant: str) -> QuerySet[Feedback]:
    """Return the newest feedback on each score and each item of each customer: a changed mind counts."""
    newer = Feedback.objects.filter(
        tenant=OuterRef("tenant"),
        customer_id=OuterRef("customer_id"),
        agent=OuterRef("agent"),
        item=OuterRef("item"),
        pk__gt=OuterRef("pk"),
    )
    return Feedback.objects.filter(~Exists(newer), tenant=tenant).order_by()
