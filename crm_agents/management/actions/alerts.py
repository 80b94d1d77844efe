from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.alerts import alert_sentence
from crm_agents.models import Alert
from crm_agents.services.watching.alerting import AlertIsClosed, close_alert
from crm_data.clock import minute

HELP = "what is wrong with the live agents, and closing what has been seen to"


def arguments(parser: CommandParser) -> None:
    parser.add_argument("--close", type=int, metavar="ID", help="close this alert")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    if options["close"] is None:
        for alert in Alert.objects.filter(closed_at=None).select_related("agent"):
            stdout.write(f"{alert.pk}\t{alert.agent}\t{minute(alert.opened_at)}\t{alert_sentence(alert)}\n")
        return
    found = Alert.objects.select_related("agent").filter(pk=options["close"]).first()
    if found is None:
        raise CommandError(f"There is no alert {options['close']}.")
    try:
        close_alert(found)
    except AlertIsClosed as error:
        raise CommandError(str(error)) from error
    stdout.write(_("Alert %(id)s is closed.") % {"id": found.pk} + "\n")
