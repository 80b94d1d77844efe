"""Gaps and heaps in time: weeks without an outcome, loaded twice, or out of the ordinary."""

from datetime import date, timedelta
from statistics import median

from handoff.inspection import Finding
from neural.inspection.events import Seen

WEEK = timedelta(days=7)
KEPT = 520  # weeks in the report: ten years
LEAST = 5  # outcome events in the usual week, before an empty one means anything
DOUBLED = 0.25  # share of a week's lines that repeat another
BUSY = 2.5  # times the usual week
NEIGHBOURS = 4  # weeks on either side that say what is usual
LONG = 3  # empty weeks in a row: more than a holiday
FEW = 20  # lines below which a week is not judged


def counts(seen: Seen) -> tuple[tuple[str, int], ...]:
    """Events of the outcome in every week from the first to the last, empty ones included."""
    return tuple((monday.isoformat(), seen.weeks.get(monday, 0)) for monday in _calendar(seen))[-KEPT:]


def _calendar(seen: Seen) -> list[date]:
    if not seen.weeks:
        return []
    first, last = min(seen.weeks), max(seen.weeks)
    return [first + index * WEEK for index in range((last - first).days // 7 + 1)]


def findings(seen: Seen) -> list[Finding]:
    return [*_empty(seen), *_doubled(seen), *_busy(seen)]


def _empty(seen: Seen) -> list[Finding]:
    weeks = _calendar(seen)
    if not weeks or median(seen.weeks.get(monday, 0) for monday in weeks) < LEAST:
        return []
    empty = [monday for monday in weeks if not seen.weeks.get(monday)]
    if not empty:
        return []
    longest = run = 0
    for monday in weeks:
        run = 0 if seen.weeks.get(monday) else run + 1
        longest = max(longest, run)
    facts = {"weeks": len(empty), "first": empty[0].isoformat(), "longest": longest}
    return [Finding("empty_weeks", "warn" if longest >= LONG else "info", "events.at", facts)]


def _doubled(seen: Seen) -> list[Finding]:
    found = []
    for monday, again in sorted(seen.repeated.items()):
        rows = seen.weeks.get(monday, 0)
        if rows >= FEW and again >= DOUBLED * rows:
            facts = {"week": monday.isoformat(), "rows": rows, "duplicates": again}
            found.append(Finding("doubled_week", "warn", "events.at", facts))
    return found


def _busy(seen: Seen) -> list[Finding]:
    weeks, found = _calendar(seen), []
    for index, monday in enumerate(weeks[1:-1], start=1):
        around = weeks[max(index - NEIGHBOURS, 0) : index] + weeks[index + 1 : index + 1 + NEIGHBOURS]
        rows, usual = seen.weeks.get(monday, 0), median(seen.weeks.get(other, 0) for other in around)
        if rows >= FEW and usual and rows >= BUSY * usual:
            facts = {"week": monday.isoformat(), "rows": rows, "usual": usual}
            found.append(Finding("busy_week", "info", "events.at", facts))
    return found
