"""Who labels what next: the front of the queue, less what others have open."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet
from crm_agents.services import audit
from crm_data.selectors import visible_customer_ids

AnyUser = AbstractBaseUser | AnonymousUser
HELD = timedelta(minutes=5)  # after which an item that nobody answered is anybody's again
TRIES = 5


def visible_items(label_set: LabelSet, user: AnyUser) -> QuerySet[LabelItem]:
    """Return the items of the customers that `user` may see, and those about no customer."""
    items = LabelItem.objects.filter(label_set=label_set)
    ids = visible_customer_ids(user, tenant=label_set.agent.tenant)
    return items if ids is None else items.filter(Q(customer_id="") | Q(customer_id__in=ids))


def next_items(label_set: LabelSet, user: AnyUser, count: int = 1) -> list[LabelItem]:
    """Claim and return up to `count` items for `user`: new ones in the queue's order, then skipped ones.

    An item that somebody else has open is left out until the claim lapses.
    """
    if label_set.closed:
        return []
    held: list[LabelItem] = []
    for _attempt in range(TRIES):  # another's claim may come between looking and claiming
        found = _front(label_set, user, count)
        held = [item for item in found if _claim(item, user)]
        if len(held) == len(found):
            break
    return held


def release(label_set: LabelSet, user: AnyUser) -> None:
    """Give back what `user` has open, for others to take at once."""
    LabelItem.objects.filter(label_set=label_set, claimed_by=audit.known(user)).update(
        claimed_by=None, claimed_until=None
    )


def _front(label_set: LabelSet, user: AnyUser, count: int) -> list[LabelItem]:
    mine = Annotation.objects.filter(item=OuterRef("pk"), user=audit.known(user)).order_by("-at", "-pk")
    items = _available(label_set, user).annotate(last=Subquery(mine.values("kind")[:1]))
    fresh = items.filter(Q(last=None) | Q(last=AnnotationKind.WITHDRAWN)).order_by("place", "pk")
    found: list[LabelItem] = list(fresh[:count])
    if len(found) < count:
        skipped = items.filter(last=AnnotationKind.SKIP).order_by(Subquery(mine.values("pk")[:1]))
        found += list(skipped[: count - len(found)])
    for item in found:
        item.label_set = label_set
    return found


def _available(label_set: LabelSet, user: AnyUser) -> QuerySet[LabelItem]:
    return visible_items(label_set, user).filter(_free(user), status=ItemStatus.OPEN)


def _free(user: AnyUser) -> Q:
    return Q(claimed_by=None) | Q(claimed_by=audit.known(user)) | Q(claimed_until__lt=timezone.now())


def _claim(item: LabelItem, user: AnyUser) -> bool:
    """Make the item `user`'s for a while; False where another was quicker."""
    free: QuerySet[Any] = LabelItem.objects.filter(_free(user), pk=item.pk, status=ItemStatus.OPEN)
    return free.update(claimed_by=audit.known(user), claimed_until=timezone.now() + HELD) == 1
