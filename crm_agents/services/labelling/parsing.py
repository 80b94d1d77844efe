"""Reads files of labels into checked rows; every mistake is named with its line."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from crm_agents.models import AnnotationKind
from crm_agents.services.labelling.answering import LONGEST_REASON
from crm_agents.services.labelling.exporting import COLUMNS
from crm_data.admin.export import FORMULA_STARTS

MOST_ROWS = 50_000
LONGEST_KEY = 64
LONGEST_TEXT = 100_000
# What follows from the rest, so that an export can be imported as it is.
IGNORED = ("status", "final", "decided", "settled_by", "settled_at", "drawn", "probabilities")
SHOWN_ERRORS = 50


@dataclass(frozen=True)
class RowError:
    """One mistake: the line of the file (1 is the first line), and what is wrong."""

    line: int
    message: str


class LabelsRejected(ValueError):
    """The file has mistakes, so nothing of it was stored."""

    def __init__(self, errors: list[RowError]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"line {error.line}: {error.message}" for error in errors[:SHOWN_ERRORS]))


@dataclass(frozen=True)
class LabelRow:
    """One row: about an item, and what was said of it, if anything. `at` is None where the file has none."""

    line: int
    customer: str
    key: str
    at: datetime | None
    kind: str  # "" where the row only names an item
    label: str
    annotator: str  # user name; "" where the label is final
    reason: str = ""
    seconds: float | None = None
    said_at: datetime | None = None
    text: str = ""


class _BadRow(ValueError):
    pass


def parse_labels(
    content: bytes, *, file_format: str, answers: Mapping[str, Any]
) -> tuple[list[LabelRow], list[RowError]]:
    """Return the good rows of a file, "csv" or "jsonl", and every mistake of the others.

    Raises LabelsRejected where it is no text at all.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LabelsRejected([RowError(line, _("This is not UTF-8; save the file as UTF-8."))]) from error
    if "\0" in text:
        raise LabelsRejected([RowError(1, _("The file holds null characters, so it is no text."))])
    rows: list[LabelRow] = []
    errors: list[RowError] = []
    for line, raw in _csv_rows(text) if file_format == "csv" else _json_rows(text):
        try:
            if isinstance(raw, str):
                raise _BadRow(raw)
            rows.append(_row(line, raw, answers))
        except _BadRow as error:
            errors.append(RowError(line, str(error)))
        if len(rows) > MOST_ROWS:
            errors.append(RowError(line, _("A file takes at most %d rows; divide it.") % MOST_ROWS))
            break
    return rows, errors


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        names = [str(name).strip() for name in reader.fieldnames or []]
        wrong = _wrong_columns(names)
        if wrong:
            yield 1, wrong
            return
        reader.fieldnames = names
        for raw in reader:
            values = {name: _unguarded(value or "") for name, value in raw.items() if name is not None}
            yield reader.line_num, _("There are more cells than columns.") if None in raw else values
    except csv.Error as error:
        yield reader.line_num, _("This is not CSV: %s.") % error


def _wrong_columns(names: list[str]) -> str:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        return _("The column %(name)r is not known; known are: %(known)s.") % {
            "name": unknown[0],
            "known": ", ".join(COLUMNS),
        }
    if "label" not in names or not {"customer", "key"} & set(names):
        return _("Columns are missing: at least label, and customer or key.")
    return _("A column is there twice.") if len(set(names)) < len(names) else ""


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        try:
            raw = json.loads(part)
        except (ValueError, RecursionError):
            yield line, _("This line is not JSON.")
            continue
        if not isinstance(raw, dict):
            yield line, _("This line is no JSON object.")
            continue
        unknown = sorted(str(name) for name in raw if name not in (*COLUMNS, *IGNORED, "annotations"))
        if unknown:
            yield line, _("%r is not known here.") % unknown[0]
            continue
        yield from ((line, each) for each in _said(raw))


def _said(raw: dict[str, Any]) -> Iterator[Mapping[str, Any] | str]:
    """Yield one row for each annotation inside an object, and one for the label that a person settled."""
    about = {name: raw.get(name, "") for name in ("customer", "key", "at", "text")}
    annotations = raw.get("annotations")
    if annotations is None:
        yield raw
        return
    if not isinstance(annotations, list) or not all(isinstance(each, dict) for each in annotations):
        yield _("annotations must be a list of objects.")
        return
    for said in annotations:
        yield {**about, **said}
    if raw.get("decided") or not annotations:
        unknown = raw.get("status") == "unknown"
        yield {**about, "label": raw.get("label", ""), "kind": AnnotationKind.CANNOT_TELL if unknown else ""}


def _row(line: int, raw: Mapping[str, Any], answers: Mapping[str, Any]) -> LabelRow:
    customer, key = _text(raw, "customer", LONGEST_KEY), _text(raw, "key", LONGEST_KEY)
    if not customer and not key:
        raise _BadRow(_("Neither customer nor key says what is labelled."))
    label, kind = _text(raw, "label", LONGEST_KEY), _text(raw, "kind", 16)
    kind = kind or (AnnotationKind.LABEL.value if label else "")
    if kind and kind not in AnnotationKind.values:
        known = ", ".join(AnnotationKind.values)
        raise _BadRow(_("kind is %(kind)r; one of %(known)s.") % {"kind": kind, "known": known})
    if kind == AnnotationKind.LABEL and label not in answers:
        known = ", ".join(answers)
        raise _BadRow(_("label is %(label)r; one of %(known)s, or empty.") % {"label": label, "known": known})
    annotator = _text(raw, "annotator", 150)
    if kind in (AnnotationKind.SKIP, AnnotationKind.WITHDRAWN) and not annotator:
        raise _BadRow(_("kind is %r, which needs an annotator.") % kind)
    return LabelRow(
        line,
        customer,
        key,
        _moment(raw, "at"),
        kind,
        label if kind == AnnotationKind.LABEL else "",
        annotator,
        _text(raw, "reason", LONGEST_REASON),
        _seconds(raw),
        _moment(raw, "said_at"),
        _text(raw, "text", LONGEST_TEXT),
    )


def _text(raw: Mapping[str, Any], name: str, longest: int) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        raise _BadRow(_("%(name)s is %(value)r; a text is needed.") % {"name": name, "value": value})
    text = str(value).strip()
    if len(text) > longest:
        facts = {"name": name, "length": len(text), "most": longest}
        raise _BadRow(_("%(name)s has %(length)s characters; at most %(most)s fit.") % facts)
    if not text.isprintable() and name != "text" and name != "reason":
        raise _BadRow(_("%s holds characters that cannot be shown.") % name)
    return text.encode("utf-8", "replace").decode()


def _moment(raw: Mapping[str, Any], name: str) -> datetime | None:
    text = _text(raw, name, 64)
    if not text:
        return None
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001
        if found is not None:
            return timezone.make_aware(found) if timezone.is_naive(found) else found
    except (ValueError, OverflowError):
        pass
    raise _BadRow(
        _("%(name)s is %(value)r; write a time like 2026-03-02T10:15:00+00:00.")
        % {"name": name, "value": text}
    )


def _seconds(raw: Mapping[str, Any]) -> float | None:
    text = _text(raw, "seconds", 32)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _BadRow(_("seconds is %r; a number from 0 up is needed.") % text)
    return value


def _unguarded(text: str) -> str:
    """Take away the apostrophe that our export puts before what a spreadsheet would run."""
    rest = text[1:]
    guarded = text.startswith("'") and (
        rest.startswith(FORMULA_STARTS) or rest.lstrip().startswith(FORMULA_STARTS)
    )
    return rest if guarded else text
