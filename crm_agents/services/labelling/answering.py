"""What annotators say: kept for good, counted by the newest word of each person, settled by agreement."""

from collections.abc import Iterable
from datetime import datetime
from math import inf

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.labelling.jobs import request_ordering
from crm_agents.services.labelling.ordering import BATCH
from crm_agents.services.labelling.sets import answer_texts
from crm_agents.services.labelling.text_model import FEWEST_LABELS

AnyUser = AbstractBaseUser | AnonymousUser
ANSWERS = (AnnotationKind.LABEL, AnnotationKind.CANNOT_TELL)  # a skip is none
LONGEST_REASON = 500
DECIDED = ("status", "label", "settled_at", "suspicion")
A_DAY = 86_400.0  # a page left open over night tells nothing of the time taken


class AnnotationRejected(ValueError):
    """The annotation cannot be stored; `field` names what to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def annotate(
    item: LabelItem,
    *,
    user: AnyUser,
    kind: str = AnnotationKind.LABEL,
    label: str = "",
    reason: str = "",
    seconds: float | None = None,
    at: datetime | None = None,
) -> Annotation:
    """Store what one person says of an item, and settle the item where all that are needed have spoken.

    Raises AnnotationRejected for an unknown answer, too long a reason or a closed set. Whether the user
    may see the item is the caller's question.
    """
    _check(item, kind, label, reason)
    with transaction.atomic():
        held = LabelItem.objects.select_for_update().get(pk=item.pk)
        said = Annotation.objects.create(
            item=held,
            user=audit.known(user),
            kind=kind,
            label=label if kind == AnnotationKind.LABEL else "",
            reason=reason,
            seconds=None if seconds is None else min(max(seconds, 0.0), A_DAY),
            at=at or timezone.now(),
        )
        held.claimed_by, held.claimed_until = None, None
        settle(held, item.label_set.annotators)
        if held.text and held.status == ItemStatus.AGREED:
            _order_anew_at_times(held)
    return said


def take_back(item: LabelItem, *, user: AnyUser) -> Annotation:
    """Withdraw what the user said last of an item: the row stays, and counts no more.

    Raises AnnotationRejected where there is nothing to take back.
    """
    newest = Annotation.objects.filter(item=item, user=audit.known(user)).order_by("-at", "-pk").first()
    if newest is None or newest.kind == AnnotationKind.WITHDRAWN:
        raise AnnotationRejected("item", _("You have said nothing of this item that could be taken back."))
    with transaction.atomic():
        held = LabelItem.objects.select_for_update().get(pk=item.pk)
        said = Annotation.objects.create(
            item=held, user=audit.known(user), kind=AnnotationKind.WITHDRAWN, at=timezone.now()
        )
        settle(held, item.label_set.annotators)
    return said


def adjudicate(item: LabelItem, *, label: str, user: AnyUser) -> None:
    """Settle an item whatever its annotators said; an empty label means that it cannot be told.

    The annotations stay as they are. Raises AnnotationRejected for an answer that the set does not have.
    """
    if label:
        _check_label(item, label)
    with transaction.atomic():
        held = LabelItem.objects.select_for_update().get(pk=item.pk)
        before = held.label
        held.status = ItemStatus.AGREED if label else ItemStatus.UNKNOWN
        held.label, held.settled_by, held.settled_at = label, audit.known(user), timezone.now()
        held.decided, held.suspicion = True, None
        held.save(update_fields=[*DECIDED, "decided", "settled_by"])
        audit.record(
            item.label_set.agent,
            AuditAction.LABELS_CHANGED,
            item.label_set,
            user=user,
            detail={"item": item.pk, "before": before, "label": label},
        )


def settle(item: LabelItem, annotators: int) -> None:
    """Set the state of an item from what its annotators said, and save it."""
    decide(item, item.annotations.all(), annotators)
    item.save(update_fields=[*DECIDED, "claimed_by", "claimed_until"])


def decide(item: LabelItem, annotations: Iterable[Annotation], annotators: int) -> None:
    """Set the state of an item, unsaved, from the newest word of each of its annotators.

    All alike: agreed, or unknown where nobody can tell. Anything else is disputed, and a person decides;
    what a person has decided stays.
    """
    if item.decided:
        return
    votes = [(said.kind, said.label) for said in newest_words(annotations)]
    before = (item.status, item.label)
    item.status, item.label = _outcome(votes, annotators)
    if (item.status, item.label) != before:
        item.settled_at = None if item.status == ItemStatus.OPEN else timezone.now()
        item.suspicion = None  # of another label


def newest_words(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return the answers that count: of each person the newest, unless it was taken back.

    Skips say nothing: an answer given before still counts.
    """
    newest: dict[int | None, Annotation] = {}
    for said in sorted(annotations, key=lambda said: (said.at, said.pk or inf)):
        if said.kind != AnnotationKind.SKIP:
            newest[said.user_id] = said
    return [said for said in newest.values() if said.kind in ANSWERS]


def _outcome(votes: list[tuple[str, str]], annotators: int) -> tuple[str, str]:
    if len(votes) < annotators:
        return ItemStatus.OPEN, ""
    if len(set(votes)) > 1:
        return ItemStatus.DISPUTED, ""
    kind, label = votes[0]
    return (ItemStatus.AGREED, label) if kind == AnnotationKind.LABEL else (ItemStatus.UNKNOWN, "")


def _order_anew_at_times(item: LabelItem) -> None:
    """After each so many labelled texts, have a model of them all look at the rest of the queue."""
    labelled = LabelItem.objects.filter(label_set=item.label_set_id, status=ItemStatus.AGREED).count()
    if labelled >= FEWEST_LABELS and labelled % BATCH == 0:
        request_ordering(item.label_set)


def _check(item: LabelItem, kind: str, label: str, reason: str) -> None:
    if item.label_set.closed:
        raise AnnotationRejected("item", _("This label set is closed; ask whoever keeps it to open it."))
    if kind not in (*ANSWERS, AnnotationKind.SKIP):
        raise AnnotationRejected("kind", _("%r is no kind of answer.") % kind)
    if kind == AnnotationKind.LABEL:
        _check_label(item, label)
    if len(reason) > LONGEST_REASON:
        raise AnnotationRejected(
            "reason",
            _("The reason has %(length)s characters; at most %(most)s fit.")
            % {"length": len(reason), "most": LONGEST_REASON},
        )


def _check_label(item: LabelItem, label: str) -> None:
    known = answer_texts(item.label_set)
    if label not in known:
        raise AnnotationRejected(
            "label",
            _("%(label)r is no answer here; choose one of: %(known)s.")
            % {"label": label, "known": ", ".join(known)},
        )
