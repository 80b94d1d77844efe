"""What an import did: read, kept, and dropped with the reason; as a table and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

EXAMPLES = 5

# In the order in which a row is examined: it counts under the first that applies.
REASONS = {
    "broken": gettext_lazy("undecodable lines, NUL bytes, wrong number of columns"),
    "bad_date": gettext_lazy("date missing or unreadable"),
    "bad_number": gettext_lazy("quantity or price missing, unreadable or out of range"),
    "too_long": gettext_lazy("customer, product or invoice number longer than 64 characters"),
    "overlap": gettext_lazy("stands again in a later part of the file (overlapping sheets)"),
    "duplicate": gettext_lazy("exact repetition of a line"),
    "no_customer": gettext_lazy("no customer"),
    "erased": gettext_lazy("of customers who were erased; they may not come back"),
    "future": gettext_lazy("dated in the future"),
    "not_a_product": gettext_lazy("no product code (postage, fees, samples …)"),
    "unmatched_return": gettext_lazy("cancellation without an earlier purchase of that quantity"),
    "no_quantity": gettext_lazy("quantity of zero"),
    "zero_price": gettext_lazy("price of zero"),
    "negative_price": gettext_lazy("negative price"),
}


@dataclass
class Dropped:
    """Rows left out for one reason, with the first line numbers as examples."""

    rows: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, rows: int, lines: Iterable[int]) -> None:
        self.rows += rows
        self.lines = sorted({*self.lines, *lines})[:EXAMPLES]


@dataclass
class ImportReport:
    """`rows_read` = `purchases` + `returns` + all dropped; `already_stored` counts kept ones known before."""

    file: str
    sha256: str
    options: dict[str, Any]
    rows_read: int = 0
    purchases: int = 0
    returns: int = 0
    already_stored: int = 0
    customers: int = 0
    customers_new: int = 0
    products: int = 0
    products_new: int = 0
    first: str | None = None  # ISO time of the first kept row
    last: str | None = None
    seconds: float = 0.0
    rows_per_second: float = 0.0
    already_imported: bool = False  # the file was imported before; nothing was done
    dropped: dict[str, Dropped] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        return self.purchases + self.returns

    def drop(self, reason: str, rows: int, lines: Iterable[int]) -> None:
        """Count `rows` rows as dropped for `reason`, one of REASONS."""
        if rows:
            self.dropped.setdefault(reason, Dropped()).add(rows, lines)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, reasons in the order of examination."""
        raw = asdict(self)
        raw["dropped"] = {name: raw["dropped"][name] for name in REASONS if name in self.dropped}
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "ImportReport":
        dropped = {name: Dropped(**value) for name, value in raw.get("dropped", {}).items()}
        return cls(**{**raw, "dropped": dropped})

    def rows(self) -> list[tuple[str, int, str]]:
        """Return the lines of the table: what, how many rows, first line numbers."""
        found = [(_("rows read"), self.rows_read, "")]
        for name, label in REASONS.items():
            if name in self.dropped:
                item = self.dropped[name]
                lines = ", ".join(str(line) for line in item.lines)
                found.append((f"− {label}", item.rows, lines and _("lines %(lines)s …") % {"lines": lines}))
        return [
            *found,
            (_("purchases kept"), self.purchases, ""),
            (_("returns kept, each with its purchase"), self.returns, ""),
            (_("of these already stored"), self.already_stored, ""),
            (_("customers, of which new"), self.customers, f"{self.customers_new:,}"),
            (_("products, of which new"), self.products, f"{self.products_new:,}"),
        ]

    def as_table(self) -> str:
        """Return the report for a terminal."""
        rows = self.rows()
        width = max(len(label) for label, _count, _note in rows)
        lines = [f"{label:<{width}}  {count:>12,}  {note}".rstrip() for label, count, note in rows]
        if self.already_imported:
            lines.append(_("This file was imported before; nothing was changed."))
        else:
            lines.append(
                _("%(seconds).1f s, %(rate)s rows of the file a second")
                % {"seconds": self.seconds, "rate": f"{self.rows_per_second:,.0f}"}
            )
        return "\n".join(lines)
