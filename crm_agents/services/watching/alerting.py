"""Alerts: opened by what is found wrong, closed when it is gone or by a person, and told to people."""

import datetime as dt
import logging
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm_agents.alerts import alert_sentence, remedy
from crm_agents.models import Agent, Alert
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.watching.findings import Finding, findings
from crm_data.conf import setting

logger = logging.getLogger(__name__)


class AlertIsClosed(Exception):
    """The alert was closed before, by a person or by itself."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(_("This alert is closed already."))
        self.alert = alert


def check_alerts(agent: Agent, *, now: dt.datetime | None = None) -> list[Alert]:
    """Open, bring up to date and close the agent's alerts; return those that were opened.

    What a person has dismissed stays closed until something else is wrong.
    """
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent.pk)
        found = {finding.kind.value: finding for finding in findings(agent, now or timezone.now())}
        present = {alert.kind: alert for alert in Alert.objects.filter(agent=agent, closed_at=None)}
        for kind, alert in present.items():
            if kind not in found:
                _close(alert, None)
        for kind in present.keys() & found.keys():
            Alert.objects.filter(pk=present[kind].pk).update(
                detail=dict(found[kind].detail), scoring=found[kind].scoring
            )
        new = [finding for kind, finding in found.items() if kind not in present]
        return [_open(agent, finding) for finding in new if not _dismissed(agent, finding)]


def close_alert(alert: Alert, *, user: audit.Actor = None) -> None:
    """Close an alert on behalf of a person, who has seen to it. Raises AlertIsClosed."""
    with transaction.atomic():
        Agent.objects.select_for_update().get(pk=alert.agent_id)
        alert.refresh_from_db()
        if alert.closed_at is not None:
            raise AlertIsClosed(alert)
        _close(alert, user)


def _open(agent: Agent, finding: Finding) -> Alert:
    alert = Alert.objects.create(
        agent=agent, kind=finding.kind, scoring=finding.scoring, detail=dict(finding.detail)
    )
    audit.record(agent, AuditAction.ALERT_OPENED, alert, detail={"alert": alert.pk, "kind": alert.kind})
    transaction.on_commit(partial(_tell, alert))
    return alert


def _close(alert: Alert, user: audit.Actor) -> None:
    alert.closed_at, alert.closed_by = timezone.now(), audit.known(user)
    alert.save(update_fields=["closed_at", "closed_by"])
    detail = {"alert": alert.pk, "kind": alert.kind}
    audit.record(alert.agent, AuditAction.ALERT_CLOSED, alert, user=user, detail=detail)


def _dismissed(agent: Agent, finding: Finding) -> bool:
    last = Alert.objects.filter(agent=agent, kind=finding.kind).order_by("-id").first()
    return last is not None and last.closed_by_id is not None and finding.is_known_from(last.detail)


def _tell(alert: Alert) -> None:
    """Say it in the log, and by mail where somebody wants it; an alert does not fail with the mail."""
    with override(settings.LANGUAGE_CODE):
        sentence, advice = alert_sentence(alert), remedy(alert.kind)
        logger.warning("%s: %s", alert.agent, sentence)
        people = setting("ALERT_EMAILS")
        if not people:
            return
        subject = _("%(agent)s: %(kind)s") % {"agent": alert.agent, "kind": alert.get_kind_display()}
        try:
            send_mail(subject, f"{sentence}\n\n{advice}\n", None, list(people))
        except Exception:
            logger.exception("The alert could not be sent to %s.", ", ".join(people))
