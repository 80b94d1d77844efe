from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from crm_agents.services.retention import erase_customer

HELP = "delete all scores of one customer, and the feedback"


def arguments(parser: CommandParser) -> None:
    parser.add_argument("customer", help="the customer's id, as the scores have it")
    parser.add_argument("--tenant", default="")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    rows = erase_customer(options["tenant"], options["customer"])
    stdout.write(_("Rows about this customer that are erased: %(rows)s.") % {"rows": rows} + "\n")
