"""From text columns to typed ones; rows that cannot be typed are dropped and counted.

Typed rows (ROW): line, section, customer, product, invoice, at, quantity, price, description …; texts are
trimmed, empty ones null, product codes upper-case.
"""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from django.utils.translation import gettext as _

from crm_data.importing.errors import ImportRefused
from crm_data.importing.options import ImportOptions
from crm_data.importing.report import ImportReport

CODES = ("customer", "product", "invoice")
TEXTS = {"description": 300, "category": 200, "customer_name": 200, "country": 64}
ISO_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
)
CODE_LENGTH = 64
LARGEST = 1e12  # what numeric(14, 2) holds
SECTION_GAP = pl.duration(days=1)
UTC_TIME = pl.Datetime("us", "UTC")


@dataclass
class Cleaner:
    """Types batch after batch of one file; remembers what must last from one batch to the next."""

    options: ImportOptions
    report: ImportReport
    _last_at: datetime | None = None
    _section: int = 0
    _bad: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # field → rows, first line, value
    _date_format: str | None = None

    def clean(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Return the typed rows of `batch`. Raises ImportRefused where a column is plainly the wrong one."""
        self.report.rows_read += batch.height
        first = self._date_format is None
        self._date_format = self._date_format or self._choose_format(batch)
        typed = self._typed(batch)
        self._note_bad(batch, typed)
        if first:
            self.refuse_wrong_columns(share=1.0)
        return self._with_sections(self._drop_untyped(typed))

    def refuse_wrong_columns(self, *, share: float = 0.5) -> None:
        """Refuse the file when at least `share` of a column's values could not be read."""
        for name, (rows, line, value) in self._bad.items():
            if rows >= share * self.report.rows_read:
                raise ImportRefused(self._wrong_column(name, rows, line, value))

    def _choose_format(self, batch: pl.DataFrame) -> str:
        if self.options.date_format:
            return self.options.date_format
        sample = batch.get_column("at").str.strip_chars().replace("", None).drop_nulls().head(100)
        counts = {form: _parsed(sample, form).count() for form in ISO_FORMATS}
        best = max(counts, key=lambda form: counts[form])
        if sample.len() and counts[best] == 0:
            line = batch.filter(pl.col("at").str.strip_chars() == sample[0]).item(0, "line")
            raise ImportRefused(self._wrong_column("at", sample.len(), line, sample[0]))
        return best

    def _typed(self, batch: pl.DataFrame) -> pl.DataFrame:
        present = set(self.options.columns)
        blank = pl.lit(None, pl.String)
        code = {name: _text(name) if name in present else blank for name in CODES}
        texts = {
            name: _text(name).str.slice(0, length) if name in present else blank
            for name, length in TEXTS.items()
        }
        codes = {
            "customer": code["customer"].str.replace(r"^(\d+)\.0$", "$1"),  # a spreadsheet's idea of a number
            "product": code["product"].str.to_uppercase(),
            "invoice": code["invoice"],
        }
        price = _number("price", self.options.decimal) if "price" in present else pl.lit(None, pl.Float64)
        frame = batch.select(
            "line",
            **codes,
            **texts,
            quantity=_number("quantity", self.options.decimal),
            price=price,
            at=pl.col("at").str.strip_chars(),
        )
        at = _parsed(frame.get_column("at"), self._date_format or "")
        return frame.with_columns(at=_in_utc(at, self.options.timezone or "UTC"))

    def _note_bad(self, batch: pl.DataFrame, typed: pl.DataFrame) -> None:
        for name in {"at", "quantity", "price"} & set(self.options.columns):
            bad = typed.get_column(name).is_null()
            rows, line, value = self._bad.get(name, (0, 0, ""))
            if not rows and bad.any():
                line, value = batch.filter(bad).select("line", name).row(0)
            self._bad[name] = (rows + int(bad.sum()), line, value)

    def _drop_untyped(self, frame: pl.DataFrame) -> pl.DataFrame:
        number = pl.col("quantity").is_null()
        if "price" in self.options.columns:
            number |= pl.col("price").is_null()
        price = pl.col("price").fill_null(1).abs()
        too_large = pl.max_horizontal(price, price * pl.col("quantity").abs()) >= LARGEST
        too_long = pl.any_horizontal(
            pl.col(name).str.len_chars().fill_null(0) > CODE_LENGTH for name in CODES
        )
        for reason, condition in (
            ("bad_date", pl.col("at").is_null()),
            ("bad_number", number | too_large),
            ("too_long", too_long),
        ):
            frame = drop(frame, condition, reason, self.report)
        return frame

    def _with_sections(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Number the parts of the file: a new one begins where time falls back by more than a day."""
        before = pl.col("at").shift(1, fill_value=pl.lit(self._last_at, UTC_TIME))
        falls = (pl.col("at") < before - SECTION_GAP).fill_null(value=False)
        frame = frame.with_columns(section=falls.cast(pl.UInt32).cum_sum() + self._section)
        if frame.height:
            self._last_at, self._section = frame.row(-1, named=True)["at"], frame.item(-1, "section")
        return frame

    def _wrong_column(self, name: str, rows: int, line: int, value: str) -> str:
        remedy = {
            "at": _(
                "name the right column with --map at=… or the form of its dates with --date-format, "
                "e.g. --date-format '%%d/%%m/%%Y %%H:%%M'"
            )
            % (),
        }.get(name, _("name the right column with --map %(name)s=…") % {"name": name})
        if "," in value and name != "at" and self.options.decimal == ".":
            remedy = _("add --decimal , where numbers are written as in 1,50")
        return _(
            "Column %(column)r cannot be read as %(name)s in %(rows)d of %(read)d rows, first in line "
            "%(line)d: %(value)r. Please %(remedy)s."
        ) % {
            "column": self.options.columns[name],
            "name": name,
            "rows": rows,
            "read": self.report.rows_read,
            "line": line,
            "value": value,
            "remedy": remedy,
        }


def drop(frame: pl.DataFrame, condition: pl.Expr, reason: str, report: ImportReport) -> pl.DataFrame:
    """Return the rows where `condition` does not hold; count the others under `reason`."""
    met = frame.select(condition.fill_null(value=False).alias("met")).get_column("met")
    if not met.any():
        return frame
    report.drop(reason, int(met.sum()), frame.filter(met).get_column("line").head(5).to_list())
    return frame.filter(~met)


def _text(name: str) -> pl.Expr:
    stripped = pl.col(name).str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _number(name: str, decimal: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    value = (_with_point(text) if decimal == "," else text).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _with_point(text: pl.Expr) -> pl.Expr:
    """Turn 1.234,50 into 1234.50; a dot that does not group thousands leaves no number, not a wrong one."""
    grouped = text.str.contains(r"^-?\d{1,3}(\.\d{3})+(,\d*)?$")
    bare = pl.when(grouped).then(text.str.replace_all(".", "", literal=True)).otherwise(text)
    return pl.when(~bare.str.contains(".", literal=True)).then(bare.str.replace(",", ".", literal=True))


def _parsed(texts: pl.Series, form: str) -> pl.Series:
    """Parse times; unreadable ones are null. Date-only forms give midnight."""
    if "%H" in form or "%I" in form or "%T" in form or "%R" in form:
        return texts.str.to_datetime(form, time_unit="us", strict=False)
    return texts.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def _in_utc(at: pl.Series, timezone: str) -> pl.Series:
    """Read naive times as of `timezone`; a time the clock skipped is null, a doubled one the earlier."""
    if at.dtype != pl.Datetime("us"):
        return at.cast(UTC_TIME)
    zoned = at.to_frame().select(
        pl.col("at").dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    )
    return zoned.get_column("at").dt.convert_time_zone("UTC")
