"""Opting a customer out of profiling, and in again."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm_agents.models import ItemStatus, LabelItem
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.agents import ensure_agents
from crm_agents.services.privacy.rows import delete_scores, of_tenant
from crm_data.services.suppression import note_opt_out, take_back_opt_out

LONGEST_REASON = 500


class OptOutRefused(Exception):
    """The opt-out cannot be stored; the message names the field and what to do."""


def opt_out(tenant: str, customer_id: str, *, user: audit.Actor = None, reason: str = "") -> bool:
    """Let no agent learn from, score or show a customer any more; False where that is so already.

    The scores go at once, with what waits to be labelled; feedback and labels stay and are not used. The
    files of older snapshots keep the customer, and nothing new is made from them. Raises OptOutRefused.
    """
    reason = reason.strip()
    if len(reason) > LONGEST_REASON:
        raise OptOutRefused(
            _("reason has %(length)s characters; at most %(limit)s fit.")
            % {"length": len(reason), "limit": LONGEST_REASON}
        )
    with transaction.atomic():
        made = note_opt_out(tenant, customer_id, user=user, reason=reason)
        delete_scores(tenant, customer_id)
        waiting = LabelItem.objects.filter(status=ItemStatus.OPEN, label_set__agent__tenant=tenant)
        waiting.filter(customer_id=customer_id).delete()
        if made:
            _record(tenant, AuditAction.CUSTOMER_OPTED_OUT, customer_id, user, {"reason": reason})
    return made


def opt_in(tenant: str, customer_id: str, *, user: audit.Actor = None) -> bool:
    """Take an opt-out back: the next snapshot has the customer again. False where there was none."""
    with transaction.atomic():
        taken_back = take_back_opt_out(tenant, customer_id)
        if taken_back:
            _record(tenant, AuditAction.CUSTOMER_OPTED_IN, customer_id, user, {})
    return taken_back


def _record(
    tenant: str, action: AuditAction, customer_id: str, user: audit.Actor, detail: dict[str, Any]
) -> None:
    """Write it into the trail of every agent of the tenant, since it changes what each of them does."""
    ensure_agents(tenant)
    for agent in of_tenant(tenant):
        audit.record(agent, action, customer_id, user=user, detail=detail)
