from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from crm_agents.models import Agent, Feedback
from crm_agents.models.feedback import FeedbackVerdict
from crm_agents.services import audit
from crm_data.selectors import get_customer
from crm_data.suppression import standing


class FeedbackRejected(Exception):
    """The feedback cannot be stored; the message names the field and what to do."""


def give_feedback(
    agent: Agent,
    *,
    customer_id: str,
    verdict: str,
    item: str = "",
    reason: str = "",
    user: AbstractBaseUser | AnonymousUser,
) -> Feedback:
    """Store what a member of staff says of an agent's live answer about one customer.

    Raises CustomerNotFound for a customer the user may not see, FeedbackRejected for a bad value.
    """
    if verdict not in FeedbackVerdict.values:
        known = ", ".join(FeedbackVerdict.values)
        raise FeedbackRejected(
            _("verdict is %(verdict)r; choose one of %(known)s.") % {"verdict": verdict, "known": known}
        )
    for name, value, limit in (("item", item, 64), ("reason", reason, 500)):
        if len(value) > limit:
            raise FeedbackRejected(
                _("%(field)s has %(length)s characters; at most %(limit)s fit.")
                % {"field": name, "length": len(value), "limit": limit}
            )
    customer = get_customer(user, customer_id, tenant=agent.tenant)
    if standing(customer.id, agent.tenant).left_out:
        raise FeedbackRejected(
            _("customer_id is %(id)r, who is left out of what agents do; nothing is stored of this one.")
            % {"id": customer.id}
        )
    return Feedback.objects.create(
        agent=agent,
        scoring=agent.live_scoring,
        tenant=agent.tenant,
        customer_id=customer.id,
        item=item,
        verdict=verdict,
        reason=reason,
        user=audit.known(user),
    )
