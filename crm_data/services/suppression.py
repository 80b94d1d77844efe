"""Opting customers out and in again, and noting for good that one was erased."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from crm_data.digests import digest, keys
from crm_data.models import Customer, Erasure, Interaction, OptOut
from crm_data.suppression import standing

User = AbstractBaseUser | AnonymousUser | None


def note_opt_out(tenant: str, customer_id: str, *, user: User = None, reason: str = "") -> bool:
    """Store an opt-out; False where there is one already, which stays as it was."""
    _row, made = OptOut.objects.get_or_create(
        tenant=tenant, customer_id=customer_id, defaults={"by": _known(user), "reason": reason}
    )
    return made


def take_back_opt_out(tenant: str, customer_id: str) -> bool:
    """Delete an opt-out; False where there was none."""
    return bool(OptOut.objects.filter(tenant=tenant, customer_id=customer_id).delete()[0])


def note_erasure(tenant: str, customer_id: str, *, user: User = None) -> Erasure:
    """Store the digest of an erased customer, once; what an opt-out kept in plain text goes.

    Files that are in use now are still to be cleaned, so the erasure is pending again if it is repeated.
    """
    with transaction.atomic():
        earlier = standing(customer_id, tenant).erasure
        OptOut.objects.filter(tenant=tenant, customer_id=customer_id).delete()
        if earlier is not None:
            Erasure.objects.filter(pk=earlier.pk).update(pending=True)
            return earlier
        name, key = next(iter(keys().items()))
        return Erasure.objects.create(
            tenant=tenant,
            digest=digest(tenant, customer_id, key),
            key_name=name,
            by=_known(user),
            at=timezone.now(),
        )


def delete_record(customer_id: str) -> dict[str, int]:
    """Delete the built-in record of a customer with its interactions; return the rows by table."""
    with transaction.atomic():
        found = Interaction.objects.filter(customer__code=customer_id).delete()[0]
        rows = Customer.objects.filter(code=customer_id).delete()[0]
    return {label: count for label, count in (("interaction", found), ("customer", rows)) if count}


def _known(user: User) -> Any:
    return user if user is not None and user.is_authenticated else None
