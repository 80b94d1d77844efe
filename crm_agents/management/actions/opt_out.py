from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.services.privacy.opting import OptOutRefused, opt_in, opt_out

HELP = "let no agent learn from, score or show a customer any more"


def arguments(parser: CommandParser) -> None:
    parser.add_argument("customer", help="the customer's id, as the scores have it")
    parser.add_argument("--tenant", default="")
    parser.add_argument("--reason", default="", help="kept with the opt-out and in the audit")
    parser.add_argument("--undo", action="store_true", help="take the opt-out back")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    tenant, customer = options["tenant"], options["customer"]
    if options["undo"]:
        done = _("The customer takes part again from the next snapshot on.")
        same = _("The customer had not opted out.")
        stdout.write((done if opt_in(tenant, customer) else same) + "\n")
        return
    try:
        made = opt_out(tenant, customer, reason=options["reason"])
    except OptOutRefused as error:
        raise CommandError(str(error)) from error
    done, same = _("The customer is opted out."), _("The customer had opted out already.")
    stdout.write((done if made else same) + "\n")
