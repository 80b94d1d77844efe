"""Slices of the test window in words: where a version is weak, the weakest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.cards.tables import between
from crm_agents.names import metric_label
from crm_agents.words import days, figure, number, percent

KINDS = {
    "tenure_days": gettext_lazy("Customer for"),
    "recency_days": gettext_lazy("Time since the last purchase"),
    "purchases": gettext_lazy("Purchases so far"),
    "spend": gettext_lazy("Spent so far"),
}


@dataclass(frozen=True)
class SliceRow:
    kind: str  # what it is cut by
    name: str  # which part
    count: str
    value: str
    interval: str
    observed: str
    predicted: str
    word: str
    tone: str


@dataclass(frozen=True)
class SlicesTable:
    metric: str
    overall: str
    smallest: str
    rates: bool  # whether outcomes can be told, observed and predicted
    rows: list[SliceRow]
    small: int  # rows at the end that are too small to be ranked


def slices_table(evaluation: Mapping[str, Any]) -> SlicesTable | None:
    """Return the slices as they are shown, or None for a version without."""
    found = evaluation.get("slices")
    if not isinstance(found, Mapping) or not found.get("groups"):
        return None
    groups = found["groups"]
    return SlicesTable(
        metric=metric_label(found["metric"]),
        overall=figure(found.get("all")),
        smallest=figure(found.get("smallest")),
        rates=any("observed" in group for group in groups),
        rows=[_row(group) for group in groups],
        small=sum(not group["enough"] for group in groups),
    )


def slice_label(group: Mapping[str, Any]) -> str:
    """Name a slice in one line: "country: France", "Spent so far: 120 to 450"."""
    return _("%(kind)s: %(which)s") % {"kind": kind_label(group["by"]), "which": which_label(group)}


def kind_label(by: str) -> str:
    return str(KINDS.get(by, by.replace("__", " ").replace("_", " ")))


def which_label(group: Mapping[str, Any]) -> str:
    """Name the part: an attribute's value, or from where to where."""
    if "which" in group:
        return _("all others") if group["which"] is None else str(group["which"])
    low, high = (_bound(group["by"], group[end]) for end in ("from", "to"))
    if low is None:
        return _("below %(high)s") % {"high": high}
    if high is None:
        return _("from %(low)s") % {"low": low}
    return _("%(low)s to below %(high)s") % {"low": low, "high": high}


def _bound(by: str, value: float | None) -> str | None:
    if value is None:
        return None
    if by.endswith("_days"):
        return days(value)
    return number(value) if value == int(value) or abs(value) >= 100 else number(value, 2)


def _row(group: Mapping[str, Any]) -> SliceRow:
    word, tone = "", "neutral"
    if not group["enough"]:
        word = _("too few to judge")
    elif group.get("below"):
        word, tone = _("surely weaker"), "warn"
    rates = [
        percent(group[name]) if group.get(name) is not None else "–" for name in ("observed", "predicted")
    ]
    return SliceRow(
        kind=kind_label(group["by"]),
        name=which_label(group),
        count=figure(group["count"]),
        value=figure(group["value"]),
        interval=between(group["low"], group["high"]),
        observed=rates[0],
        predicted=rates[1],
        word=word,
        tone=tone,
    )
