import json
from collections.abc import Mapping
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

HELP = "erase everything derived from one customer, for good"


def arguments(parser: CommandParser) -> None:
    parser.add_argument("customer", help="the customer's id, as the scores have it")
    parser.add_argument("--tenant", default="")
    parser.add_argument(
        "--with-record", action="store_true", help="delete the built-in record and its interactions too"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    from crm_agents.services.privacy.erasing import erase  # reads Parquet files: loads polars

    report = erase(options["tenant"], options["customer"], with_record=options["with_record"])
    if options["json"]:
        stdout.write(json.dumps(report.as_json(), indent=2) + "\n")
        return
    stdout.write(
        _("Rows about this customer that are erased: %(rows)s.") % {"rows": report.rows_deleted} + "\n"
    )
    for line in report.lines():
        stdout.write(line + "\n")
