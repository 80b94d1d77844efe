"""Settings of a run on the command line: a YAML file, and `--set epochs=3` over it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.models import Agent
from crm_agents.settings_file import changed_settings, read_yaml
from handoff.errors import HandoffError


def settings_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="settings as YAML, as `agent config` writes; - is stdin"
    )
    parser.add_argument(
        "--set", action="append", default=[], type=assignment, metavar="KEY=VALUE", help="e.g. epochs=3"
    )


def settings_of(agent: Agent, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file and the assignments change; an assignment wins. Raises HandoffError."""
    given = dict(options["set"])
    if options["config"] is None:
        return given
    text = text_of(options["config"])
    try:
        return {**changed_settings(agent, read_yaml(text)), **given}
    except HandoffError as error:
        raise HandoffError(f"{options['config']}: {error}") from error


def text_of(name: str) -> str:
    """Return what a file holds, or standard input for "-". Raises CommandError where it cannot be read."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        text = _("%(name)s cannot be read: %(error)s")
        raise CommandError(text % {"name": name, "error": error}) from error


def assignment(text: str) -> tuple[str, Any]:
    """Read "key=value"; the value is JSON where it can be, else the text itself."""
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise CommandError(f"{text!r} is not of the form key=value.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
