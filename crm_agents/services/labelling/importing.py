"""Brings labels in from a file: all of it or nothing, and the same file twice changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.labelling.answering import DECIDED, decide, newest_words
from crm_agents.services.labelling.parsing import LabelRow, LabelsRejected, RowError, parse_labels
from crm_agents.services.labelling.sets import answer_texts
from crm_data.selectors import customer_names, existing_customer_ids
from crm_data.suppression import Suppressed

BATCH = 500
Place = tuple[str, str, datetime]  # customer, key, at: what makes an item one


@dataclass(frozen=True)
class Imported:
    """What an import changed."""

    rows: int
    items: int  # new ones
    annotations: int  # new ones
    settled: int  # items whose final label a person brought


def import_labels(
    label_set: LabelSet, content: bytes, *, file_format: str, user: audit.Actor = None
) -> Imported:
    """Store the labels of a CSV or JSON Lines file. Raises LabelsRejected, and stores nothing, for mistakes.

    A row with an annotator is that person's answer; one without is final. Answers that are there already
    are left as they are. Without `user` (the command line) every customer may be labelled.
    """
    rows, mistakes = parse_labels(content, file_format=file_format, answers=answer_texts(label_set))
    people = _people(rows)
    errors = [*mistakes, *_unknown_people(rows, people), *_unknown_customers(label_set, rows, user)]
    if errors:
        raise LabelsRejected(sorted(errors, key=lambda error: error.line))
    with transaction.atomic():
        LabelSet.objects.select_for_update().get(pk=label_set.pk)
        done = _Import(label_set, rows, people, user).run()
        if done.items or done.annotations or done.settled:
            detail = {"imported": done.annotations, "items": done.items, "settled": done.settled}
            audit.record(label_set.agent, AuditAction.LABELS_CHANGED, label_set, user=user, detail=detail)
    return done


class _Import:
    """One import at work, within its transaction."""

    def __init__(
        self, label_set: LabelSet, rows: Sequence[LabelRow], people: dict[str, Any], user: audit.Actor
    ) -> None:
        self.label_set, self.rows, self.people, self.user = label_set, rows, people, audit.known(user)
        self.now = timezone.now()

    def run(self) -> Imported:
        places = self._places()
        items, new = self._items(places)
        said = self._annotations(items)
        before = sum(map(len, said.values()))
        settled = 0
        for row in self.rows:
            item = items[places[row.line, row.customer, row.key]]
            if row.kind and row.annotator:
                self._say(row, item, said[item.pk])
            elif row.kind:
                settled += self._settle(row, item)
        fresh = [each for all_said in said.values() for each in all_said if each.pk is None]
        Annotation.objects.bulk_create(fresh, batch_size=BATCH)
        for item in items.values():
            decide(item, said[item.pk], self.label_set.annotators)
        LabelItem.objects.bulk_update(items.values(), [*DECIDED, "decided", "settled_by"], batch_size=BATCH)
        return Imported(len(self.rows), new, sum(map(len, said.values())) - before, settled)

    def _places(self) -> dict[tuple[int, str, str], Place]:
        """Return which item each row is about. Raises LabelsRejected where its time is needed to tell."""
        known: dict[tuple[str, str], list[datetime]] = {}
        about = LabelItem.objects.filter(label_set=self.label_set).values_list("customer_id", "key", "at")
        for customer, key, at in about.iterator(chunk_size=5_000):
            known.setdefault((customer, key), []).append(at)
        found, errors = {}, []
        for row in self.rows:
            moments = known.get((row.customer, row.key), [])
            moment = row.at or (moments[0] if len(moments) == 1 else None)
            if moment is None:
                errors.append(
                    RowError(row.line, _("at is empty; write the moment that the label speaks of."))
                )
            else:
                found[row.line, row.customer, row.key] = (row.customer, row.key, moment)
        if errors:
            raise LabelsRejected(errors)
        return found

    def _items(self, places: dict[tuple[int, str, str], Place]) -> tuple[dict[Place, LabelItem], int]:
        """Return the item of each place, making those that are new, and how many were."""
        wanted = set(places.values())
        found = self._stored(wanted)
        last = LabelItem.objects.filter(label_set=self.label_set).aggregate(last=Max("place"))["last"] or 0.0
        texts = {places[row.line, row.customer, row.key]: row.text for row in self.rows if row.text}
        missing = [place for place in dict.fromkeys(places.values()) if place not in found]
        LabelItem.objects.bulk_create(
            (
                LabelItem(
                    label_set=self.label_set,
                    customer_id=customer,
                    key=key,
                    at=at,
                    text=texts.get((customer, key, at), ""),
                    place=last + number,
                )
                for number, (customer, key, at) in enumerate(missing, start=1)
            ),
            batch_size=BATCH,
        )
        return self._stored(wanted), len(missing)

    def _stored(self, wanted: set[Place]) -> dict[Place, LabelItem]:
        every = LabelItem.objects.select_for_update().filter(label_set=self.label_set)
        return {
            place: item
            for item in every.iterator(chunk_size=5_000)
            if (place := (item.customer_id, item.key, item.at)) in wanted
        }

    def _annotations(self, items: dict[Place, LabelItem]) -> dict[int, list[Annotation]]:
        said: dict[int, list[Annotation]] = {item.pk: [] for item in items.values()}
        stored = Annotation.objects.filter(item__label_set=self.label_set).order_by("at", "pk")
        for each in stored.iterator(chunk_size=5_000):
            if each.item_id in said:
                said[each.item_id].append(each)
        return said

    def _say(self, row: LabelRow, item: LabelItem, said: list[Annotation]) -> None:
        """Add an answer unless the person has given it already."""
        person = self.people[row.annotator]
        own = [each for each in said if each.user_id == person.pk]
        if row.said_at is not None:
            given = any((e.kind, e.label, e.at) == (row.kind, row.label, row.said_at) for e in own)
        else:
            words = own[-1:] if row.kind == AnnotationKind.SKIP else newest_words(own)
            given = any((e.kind, e.label) == (row.kind, row.label) for e in words)
        if not given:
            said.append(
                Annotation(
                    item=item,
                    user=person,
                    kind=row.kind,
                    label=row.label,
                    reason=row.reason,
                    seconds=row.seconds,
                    at=row.said_at or self.now,
                )
            )

    def _settle(self, row: LabelRow, item: LabelItem) -> int:
        """Make the row's label the final one; return 1 where it was not."""
        status = ItemStatus.AGREED if row.kind == AnnotationKind.LABEL else ItemStatus.UNKNOWN
        if (item.status, item.label) == (status, row.label):
            return 0
        item.status, item.label, item.suspicion, item.decided = status, row.label, None, True
        item.settled_by, item.settled_at = self.user, row.said_at or self.now
        return 1


def _people(rows: Iterable[LabelRow]) -> dict[str, Any]:
    model = get_user_model()
    names = sorted({row.annotator for row in rows if row.annotator})
    found: dict[str, Any] = {}
    for start in range(0, len(names), BATCH):
        part = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names[start : start + BATCH]})
        found |= {user.get_username(): user for user in part}
    return found


def _unknown_people(rows: Iterable[LabelRow], people: dict[str, Any]) -> list[RowError]:
    return [
        RowError(row.line, _("There is no user %r.") % row.annotator)
        for row in rows
        if row.annotator and row.annotator not in people
    ]


def _unknown_customers(label_set: LabelSet, rows: Sequence[LabelRow], user: audit.Actor) -> list[RowError]:
    tenant = label_set.agent.tenant
    names = sorted({row.customer for row in rows if row.customer})
    present: set[str] = set()
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        present |= (
            set(customer_names(part, tenant=tenant))
            if user is None
            else existing_customer_ids(user, part, tenant=tenant)
        )
    unknown = [
        RowError(row.line, _("There is no customer %r.") % row.customer)
        for row in rows
        if row.customer and row.customer not in present
    ]
    gone = Suppressed(tenant).among(present)
    left_out = _("Customer %r opted out or was erased; leave the row out.")
    unknown += [RowError(row.line, left_out % row.customer) for row in rows if row.customer in gone]
    if label_set.subject == Subject.CUSTOMER:
        nobody = _("customer is empty; this set labels customers.")
        unknown += [RowError(row.line, nobody) for row in rows if not row.customer]
    return unknown
