"""Settings of a run on the command line: `--set epochs=3`."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser


def settings_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], type=assignment, metavar="KEY=VALUE", help="e.g. epochs=3"
    )


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides that were given; a later one wins."""
    return dict(options["set"])


def assignment(text: str) -> tuple[str, Any]:
    """Read "key=value"; the value is JSON where it can be, else the text itself."""
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise CommandError(f"{text!r} is not of the form key=value.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
