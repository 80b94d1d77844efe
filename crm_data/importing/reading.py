"""Reading a CSV file, gzipped or not, in batches of text columns with their line numbers."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_data.importing.errors import ImportRefused
from crm_data.importing.options import ImportOptions

_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": gettext_lazy("an Excel workbook or a ZIP archive"),
    b"\xd0\xcf\x11\xe0": gettext_lazy("an old Excel workbook"),
    b"%PDF": gettext_lazy("a PDF document"),
    b"PAR1": gettext_lazy("a Parquet file"),
    b"SQLite format 3": gettext_lazy("an SQLite database"),
    b"BZh": gettext_lazy("a bzip2 archive"),
    b"\xfd7zXZ": gettext_lazy("an xz archive"),
    b"(\xb5/\xfd": gettext_lazy("a zstd archive"),
    b"\xff\xfe": gettext_lazy("UTF-16 text"),
    b"\xfe\xff": gettext_lazy("UTF-16 text"),
}
_EXAMPLES = 5


class CsvFile:
    """One open file: its header, then its rows. `broken` collects line numbers that were left out."""

    def __init__(self, raw: IO[bytes], stream: IO[bytes], path: Path, options: ImportOptions) -> None:
        self._raw = raw
        self._stream = stream
        self._path = path
        self._options = options
        self._line = 0
        self.broken: list[int] = []
        self.broken_rows = 0
        self._rows = csv.reader(self._lines(), delimiter=options.delimiter)
        self.header = self._read_header()

    def batches(self, columns: dict[str, str]) -> Iterator[pl.DataFrame]:
        """Yield frames of `line` (of the row's end) and one text column for each of `columns`."""
        indices = [self.header.index(column) for column in columns.values()]
        schema = {"line": pl.UInt32, **dict.fromkeys(columns, pl.String)}
        rows: list[tuple[int | str, ...]] = []
        for row in self._records():
            rows.append((self._line, *[row[index] for index in indices]))
            if len(rows) == self._options.batch_rows:
                yield _frame(rows, schema)
                rows = []
        if rows:
            yield _frame(rows, schema)

    def position(self) -> int:
        """Bytes of the file consumed so far."""
        return self._raw.tell()

    def _read_header(self) -> list[str]:
        header = [name.strip() for name in next(self._checked(), [])]
        if not any(header):
            raise ImportRefused(
                _("%(path)s is empty; its first line must name the columns.") % {"path": self._path}
            )
        return header

    def _records(self) -> Iterator[list[str]]:
        width = len(self.header)
        for row in self._checked():
            if len(row) == width:
                yield row
            elif row:
                self._break(
                    _("has %(found)d columns, the header has %(width)d")
                    % {"found": len(row), "width": width},
                    _("Correct the line"),
                )

    def _checked(self) -> Iterator[list[str]]:
        try:
            yield from self._rows
        except csv.Error as error:
            raise ImportRefused(
                _("%(path)s, near line %(line)d: %(error)s. A quote that is opened there is never closed?")
                % {"path": self._path, "line": self._line, "error": error}
            ) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ImportRefused(
                _("%(path)s is damaged or incomplete after line %(line)d (%(error)s); fetch it again.")
                % {"path": self._path, "line": self._line, "error": error}
            ) from error

    def _lines(self) -> Iterator[str]:
        encoding = self._options.encoding
        first = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        for raw in self._stream:
            self._line += 1
            if b"\0" in raw:
                self._break(_("holds a NUL byte"), _("Export the file again or remove the byte"))
                continue
            try:
                yield raw.decode(encoding if self._line > 1 else first)
            except UnicodeDecodeError as error:
                what = _("is not %(encoding)s (byte %(byte)s at position %(position)d)") % {
                    "encoding": encoding,
                    "byte": hex(raw[error.start]),
                    "position": error.start + 1,
                }
                self._break(what, _("Name the file's encoding, e.g. --encoding cp1252"))

    def _break(self, what: str, remedy: str) -> None:
        if not self._options.drop_broken:
            raise ImportRefused(
                _("Line %(line)d of %(path)s %(what)s. %(remedy)s, or leave such lines out: --drop-broken.")
                % {"line": self._line, "path": self._path, "what": what, "remedy": remedy}
            )
        self.broken_rows += 1
        if len(self.broken) < _EXAMPLES:
            self.broken.append(self._line)


@contextmanager
def open_csv(path: Path, options: ImportOptions) -> Iterator[CsvFile]:
    """Open `path`. Raises ImportRefused for what is missing, unreadable or no CSV."""
    with _opened(path) as raw:
        start = raw.read(16)
        raw.seek(0)
        _check_start(path, start)
        stream: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if start[:2] == _GZIP else raw
        yield CsvFile(raw, stream, path, options)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ImportRefused(
            _("%(path)s cannot be read: %(error)s.") % {"path": path, "error": error.strerror}
        ) from error
    with file:
        yield file


def _check_start(path: Path, start: bytes) -> None:
    if not start:
        raise ImportRefused(_("%(path)s is empty; its first line must name the columns.") % {"path": path})
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise ImportRefused(
                _("%(path)s is %(what)s, not CSV. Save it as CSV (UTF-8) first.")
                % {"path": path, "what": what}
            )


def _frame(rows: list[tuple[int | str, ...]], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    # Column by column is several times faster than letting polars turn rows.
    turned = zip(*rows, strict=True)
    return pl.DataFrame(
        [
            pl.Series(name, column, dtype=kind)
            for (name, kind), column in zip(schema.items(), turned, strict=True)
        ]
    )
