"""Lists as CSV files, sent while they are read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

BYTE_ORDER_MARK = "\ufeff"  # tells spreadsheets that the file is UTF-8


class _Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_response(name: str, header: Sequence[Any], lines: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Answer with a CSV file named `name`."""
    response = StreamingHttpResponse(_written(header, lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _written(header: Sequence[Any], lines: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK
    yield str(writer.writerow([str(title) for title in header]))
    for line in lines:
        yield str(writer.writerow([_harmless(cell) for cell in line]))


def _harmless(cell: Any) -> Any:
    """Keep a spreadsheet from running a customer's name as a formula."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + cell
    return "" if cell is None else cell
