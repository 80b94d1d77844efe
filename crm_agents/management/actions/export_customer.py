import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

HELP = "write down everything known of one customer, as JSON or ZIP"


def arguments(parser: CommandParser) -> None:
    parser.add_argument("customer", help="the customer's id, as the scores have it")
    parser.add_argument("--tenant", default="")
    parser.add_argument("--out", type=Path, help="a file to write, *.zip or *.json; else it is printed")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    from crm_agents.services.privacy.exporting import as_zip, export  # reads Parquet files: loads polars

    exported = export(options["tenant"], options["customer"])
    text = json.dumps(exported, indent=2, ensure_ascii=False)
    out = options["out"]
    if out is None:
        stdout.write(text + "\n")
        return
    out.write_bytes(as_zip(exported) if out.suffix == ".zip" else text.encode())
    stdout.write(_("Written to %(file)s.") % {"file": out} + "\n")
