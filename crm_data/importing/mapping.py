"""Which column of the file means what."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from crm_data.importing.errors import ImportRefused
from crm_data.importing.options import ImportOptions

REQUIRED = ("customer", "product", "quantity", "at")
FIELDS = (*REQUIRED, "price", "invoice", "description", "category", "customer_name", "country")


@dataclass(frozen=True)
class Preset:
    """A file layout that is recognised by its header."""

    name: str
    columns: Mapping[str, str]
    defaults: Mapping[str, str]


_RETAIL_DEFAULTS = {
    "date_format": "%Y-%m-%d %H:%M:%S",
    "timezone": "Europe/London",
    "currency": "GBP",
    "product_pattern": r"^\d{5}[A-Za-z]{0,2}$",
    "cancellation_prefix": "C",
}
PRESETS = (
    Preset(
        "online-retail-ii",
        {
            "invoice": "Invoice",
            "product": "StockCode",
            "description": "Description",
            "quantity": "Quantity",
            "at": "InvoiceDate",
            "price": "Price",
            "customer": "Customer ID",
            "country": "Country",
        },
        _RETAIL_DEFAULTS,
    ),
)
_GENERAL_DEFAULTS = {"timezone": "UTC", "cancellation_prefix": ""}


def parse_map(pairs: Iterable[str]) -> dict[str, str]:
    """Turn `["invoice=Invoice", …]` into a dictionary. Raises ImportRefused naming a bad pair."""
    columns: dict[str, str] = {}
    for pair in pairs:
        name, separator, column = pair.partition("=")
        if not separator or not column:
            raise ImportRefused(
                _("--map %(pair)r is not of the form field=Column, e.g. product=StockCode.") % {"pair": pair}
            )
        if name not in FIELDS:
            raise ImportRefused(
                _("--map %(pair)r: there is no field %(name)r; the fields are %(fields)s.")
                % {"pair": pair, "name": name, "fields": ", ".join(FIELDS)}
            )
        columns[name] = column
    return columns


def settle_options(options: ImportOptions, header: Sequence[str], *, currency: str) -> ImportOptions:
    """Return the options with every column found in `header` and every default filled in.

    Raises ImportRefused naming the field or column that is missing, with what the file has instead.
    """
    preset = None if options.columns else _recognised(header)
    columns = dict(preset.columns if preset else options.columns) or _named_as_fields(header)
    if not columns:
        raise ImportRefused(
            _("The columns %(found)s are not known. Say what they mean with --map, at least: %(example)s.")
            % {"found": _names(header), "example": " ".join(f"{name}=…" for name in REQUIRED)}
            + _delimiter_hint(header)
        )
    _check_columns(columns, header)
    defaults = {**_GENERAL_DEFAULTS, "currency": currency, **(preset.defaults if preset else {})}
    settled = replace(options, columns=columns).with_defaults(defaults)
    settled.check()
    return settled


def _recognised(header: Sequence[str]) -> Preset | None:
    return next((preset for preset in PRESETS if set(preset.columns.values()) <= set(header)), None)


def _named_as_fields(header: Sequence[str]) -> dict[str, str]:
    """Return the columns that bear our fields' own names, none unless the needed ones are among them."""
    return {name: name for name in FIELDS if name in header} if set(REQUIRED) <= set(header) else {}


def _check_columns(columns: Mapping[str, str], header: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ImportRefused(
            _("No column is named for %(missing)s; add %(example)s to --map. The file has %(found)s.")
            % {
                "missing": ", ".join(missing),
                "example": " ".join(f"{name}=…" for name in missing),
                "found": _names(header),
            }
        )
    for name, column in columns.items():
        if header.count(column) != 1:
            raise ImportRefused(_column_message(name, column, header))


def _column_message(name: str, column: str, header: Sequence[str]) -> str:
    if column in header:
        return _("The file has several columns named %(column)r; rename all but one.") % {"column": column}
    near = difflib.get_close_matches(column, header, n=1)
    hint = _(" Did you mean %(near)r?") % {"near": near[0]} if near else ""
    return _("--map %(name)s=%(column)s: the file has no column %(column)r, only %(found)s.") % {
        "name": name,
        "column": column,
        "found": _names(header),
    } + (hint or _delimiter_hint(header))


def _delimiter_hint(header: Sequence[str]) -> str:
    other = next((mark for mark in ";\t|" if len(header) == 1 and mark in header[0]), None)
    if other is None:
        return ""
    return _(" If columns are parted by %(mark)r, add --delimiter %(mark)r.") % {"mark": other}


def _names(header: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in header)
