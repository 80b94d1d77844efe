"""What the person who imports may choose, checked before the file is opened."""

import codecs
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self
from zoneinfo import ZoneInfo

import polars as pl
from django.utils.translation import gettext as _

from crm_data.importing.errors import ImportRefused


@dataclass(frozen=True)
class ImportOptions:
    """How one file is read. `None` means: take the preset's value where a preset fits the file."""

    columns: Mapping[str, str] = field(default_factory=dict)  # our field → the file's column
    date_format: str | None = None  # strptime; None tries ISO forms
    timezone: str | None = None  # of times without an offset
    currency: str | None = None  # ISO code of the prices
    product_pattern: str | None = None  # codes that do not match are no products
    cancellation_prefix: str | None = None  # invoices that begin so reverse earlier ones
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."  # what parts whole from fraction; with "," a dot groups thousands
    keep_repeated: bool = False  # equal lines of one invoice are separate purchases
    drop_broken: bool = False  # leave undecodable and ragged lines out instead of refusing the file
    batch_rows: int = 50_000  # rows held at once while reading

    def with_defaults(self, defaults: Mapping[str, str]) -> Self:
        """Return a copy in which every option left at None has its default."""
        missing = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **missing)  # type: ignore[arg-type]

    def sha256(self) -> str:
        """Name the options that decide what is stored."""
        deciding: dict[str, Any] = asdict(self)
        del deciding["batch_rows"]
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    def check(self) -> None:
        """Raise ImportRefused naming the first option that cannot be used."""
        _check_timezone(self.timezone)
        _check_currency(self.currency)
        _check_pattern(self.product_pattern)
        _check_date_format(self.date_format)
        _check_text(self.encoding, self.delimiter)
        _check_decimal(self.decimal)


def _check_timezone(name: str | None) -> None:
    try:
        ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise ImportRefused(
            _("--timezone %(value)r is unknown; give a name such as Europe/London.") % {"value": name}
        ) from error


def _check_currency(code: str | None) -> None:
    if code and not re.fullmatch("[A-Z]{3}", code):
        raise ImportRefused(_("--currency %(value)r is no ISO code such as GBP or EUR.") % {"value": code})


def _check_pattern(pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        raise ImportRefused(
            _("--product-pattern %(value)r is no regular expression: %(error)s")
            % {"value": pattern, "error": error}
        ) from error


def _check_date_format(form: str | None) -> None:
    if form is None:
        return
    try:
        pl.Series([""]).str.to_datetime(form, strict=False)
    except pl.exceptions.PolarsError as error:
        raise ImportRefused(
            _("--date-format %(value)r is no form of a date, such as %(example)r.")
            % {"value": form, "example": "%d/%m/%Y %H:%M"}
        ) from error


def _check_text(encoding: str, delimiter: str) -> None:
    try:
        plain = codecs.lookup(encoding).name not in {"utf-16", "utf-32"} and "\n".encode(encoding) == b"\n"
    except LookupError:
        plain = False
    if not plain:
        raise ImportRefused(
            _("--encoding %(value)r cannot be read; use utf-8, cp1252 or latin-1, or save the file as UTF-8.")
            % {"value": encoding}
        )
    if len(delimiter) != 1:
        raise ImportRefused(
            _("--delimiter %(value)r must be one character, such as , or ;.") % {"value": delimiter}
        )


def _check_decimal(mark: str) -> None:
    if mark not in {".", ","}:
        raise ImportRefused(_("--decimal %(value)r must be . or , as in 1.50 or 1,50.") % {"value": mark})
