"""Takes the rows of customers who are left out, opted out or erased, from frames of a snapshot."""

from collections import Counter

import polars as pl

from crm_data.suppression import Suppressed


class Sieve:
    """Remembers whom it has looked up, since the same customers come again in frame after frame."""

    def __init__(self, suppressed: Suppressed, dropped: Counter[str] | None = None) -> None:
        self.suppressed = suppressed
        self.dropped: Counter[str] = Counter() if dropped is None else dropped  # rows, by reason
        self._known: dict[str, str] = {}

    def without(self, frame: pl.DataFrame, *, count: bool = True) -> pl.DataFrame:
        """Return the rows of those who stay; count the others by reason."""
        if not self.suppressed:
            return frame
        reasons = {customer: self._why(customer) for customer in frame["customer"].unique()}
        gone = [customer for customer, reason in reasons.items() if reason]
        if not gone:
            return frame
        hidden = frame["customer"].is_in(gone)
        if count:
            for customer, rows in frame.filter(hidden)["customer"].value_counts().iter_rows():
                self.dropped[reasons[customer]] += rows
        return frame.filter(~hidden)

    def _why(self, customer: str) -> str:
        if customer not in self._known:
            self._known[customer] = self.suppressed.why(customer)
        return self._known[customer]
