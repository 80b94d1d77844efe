"""Labels as files: what was asked, what came of it, and every annotation with who and when.

CSV has a row for each annotation; an item that a person settled, or that nobody has answered, has one
without an annotator. JSON Lines has an object for each item, its annotations inside. Both can be imported.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch, QuerySet

from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem
from crm_data.admin.export import guarded

CHUNK = 500
COLUMNS = (
    "customer",
    "key",
    "at",
    "label",
    "annotator",
    "kind",
    "reason",
    "seconds",
    "said_at",
    "text",
    "status",
    "final",
    "decided",
    "settled_by",
    "settled_at",
    "drawn",
)

Record = dict[str, Any]


def csv_lines(items: QuerySet[LabelItem]) -> Iterator[str]:
    """Yield the lines of the CSV file, the header first; memory does not grow with the rows."""
    yield _line(COLUMNS)
    for record in records(items):
        for row in _rows(record):
            yield _line([guarded(row.get(name, "")) for name in COLUMNS])


def json_lines(items: QuerySet[LabelItem]) -> Iterator[str]:
    """Yield one JSON object a line, an item each."""
    for record in records(items):
        yield json.dumps(record, ensure_ascii=False) + "\n"


def records(items: QuerySet[LabelItem]) -> Iterator[Record]:
    """Yield each item, JSON values only."""
    for item in with_annotations(items.order_by("pk")).iterator(chunk_size=CHUNK):
        yield item_record(item)


def with_annotations(items: QuerySet[LabelItem]) -> QuerySet[LabelItem]:
    """Have everything `item_record` needs at hand in two queries."""
    said = Annotation.objects.select_related("user").order_by("at", "pk")
    return items.select_related("settled_by").prefetch_related(Prefetch("annotations", said))


def item_record(item: LabelItem) -> Record:
    """Return one item with all that was said of it, JSON values only."""
    return {
        "customer": item.customer_id,
        "key": item.key,
        "at": item.at.isoformat(),
        "text": item.text,
        "status": item.status,
        "label": item.label,
        "decided": item.decided,
        "settled_by": item.settled_by.get_username() if item.settled_by else "",
        "settled_at": item.settled_at.isoformat() if item.settled_at else "",
        "drawn": item.drawn,
        "probabilities": item.probabilities,
        "annotations": [
            {
                "annotator": said.user.get_username() if said.user else "",
                "kind": said.kind,
                "label": said.label,
                "reason": said.reason,
                "seconds": said.seconds,
                "said_at": said.at.isoformat(),
            }
            for said in item.annotations.all()
        ],
    }


def _rows(record: Record) -> Iterator[Record]:
    """Yield the CSV rows of one item."""
    shared = {name: record[name] for name in ("customer", "key", "at", "text", "status", "drawn")}
    shared |= {name: record[name] for name in ("decided", "settled_by", "settled_at")}
    shared["final"] = record["label"]
    for said in record["annotations"]:
        yield {**shared, **said, "seconds": "" if said["seconds"] is None else said["seconds"]}
    if record["decided"] or not record["annotations"]:
        unknown = record["status"] == ItemStatus.UNKNOWN
        yield {
            **shared,
            "label": record["label"],
            "kind": AnnotationKind.CANNOT_TELL.value if unknown else "",
        }


def _line(values: Any) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(values)
    return file.getvalue()
