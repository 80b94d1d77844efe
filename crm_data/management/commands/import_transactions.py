"""`manage.py import_transactions FILE`: sales of a CSV file into the built-in tables."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError

from crm_data.importing.errors import ImportRefused
from crm_data.importing.mapping import FIELDS, PRESETS, parse_map
from crm_data.importing.options import ImportOptions
from crm_data.importing.running import import_transactions
from crm_data.importing.terminal import ProgressBar


class Command(BaseCommand):
    help = (
        "Import a CSV file (plain or gzipped) of transactions: all of it or nothing. "
        f"Recognised by their header: {', '.join(preset.name for preset in PRESETS)}."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            nargs="+",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"what the columns mean; fields: {', '.join(FIELDS)}",
        )
        parser.add_argument(
            "--date-format", help="strptime form of the dates; ISO forms are tried by default"
        )
        parser.add_argument("--timezone", help="of times without an offset, e.g. Europe/London")
        parser.add_argument("--currency", help="ISO code of the prices, e.g. GBP")
        parser.add_argument("--product-pattern", help="regular expression; other codes are no products")
        parser.add_argument("--cancellation-prefix", help="invoices that begin so reverse earlier ones")
        parser.add_argument("--encoding", default="utf-8")
        parser.add_argument("--delimiter", default=",")
        parser.add_argument(
            "--decimal", default=".", help="the decimal mark of quantities and prices: . or ,"
        )
        parser.add_argument(
            "--keep-repeated", action="store_true", help="equal lines of one invoice are separate purchases"
        )
        parser.add_argument(
            "--drop-broken", action="store_true", help="leave undecodable and ragged lines out and count them"
        )
        parser.add_argument(
            "--again", action="store_true", help="import a file once more; lines still stored are kept"
        )
        parser.add_argument("--work-folder", type=Path, help="for temporary files of about the file's size")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        bar = ProgressBar(cast(TextIO, self.stderr._out))  # the wrapper around it adds line ends
        try:
            report = import_transactions(
                options["file"],
                _options(options),
                again=options["again"],
                work_folder=options["work_folder"],
                on_progress=bar,
            )
        except ImportRefused as error:
            raise CommandError(str(error)) from error
        finally:
            bar.close()
        self.stdout.write(json.dumps(report.as_json(), indent=2) if options["json"] else report.as_table())


def _options(given: dict[str, Any]) -> ImportOptions:
    return ImportOptions(
        columns=parse_map(given["map"]),
        date_format=given["date_format"],
        timezone=given["timezone"],
        currency=given["currency"],
        product_pattern=given["product_pattern"],
        cancellation_prefix=given["cancellation_prefix"],
        encoding=given["encoding"],
        delimiter=given["delimiter"],
        decimal=given["decimal"],
        keep_repeated=given["keep_repeated"],
        drop_broken=given["drop_broken"],
    )
