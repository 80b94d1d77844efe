"""The report of a data check as tables of words, ready for a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots import render
from crm_agents.plots.weeks import weekly
from crm_agents.readiness_words import (
    WINDOWS,
    day,
    field_label,
    figure,
    finding_entries,
    sentence_of_size,
    share,
)
from crm_agents.services.preparation import EVENT_FIELDS
from crm_agents.words import number
from crm_data.models import InteractionKind
from handoff.inspection import Inspection, Leakage, Nulls

TONES = {"stop": "bad", "warn": "warn", "info": "calm"}


@dataclass(frozen=True)
class FieldRow:
    """One field that can be left out."""

    name: str  # as `TrainingConfig.excluded` has it
    label: str
    filled: str  # share of rows that have a value
    alone: str  # AUC of the field alone
    suspected: bool  # of leaking the outcome


def report_context(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a report. Raises HandoffError for what is no report."""
    facts = Inspection.of(report)
    entries = finding_entries(report["findings"])
    plot = weekly(facts.weeks)
    return {
        "size": sentence_of_size(facts),
        "findings": [{**entry, "tone": TONES.get(entry["severity"], "neutral")} for entry in entries],
        "worst": TONES.get(entries[0]["severity"], "neutral") if entries else "good",
        "products": number(facts.products),
        "watermark": day(facts.watermark),
        "kinds": _kinds(facts),
        "balance": _balance(facts),
        "nulls": _nulls(facts),
        "outliers": _outliers(facts),
        "duplicates": number(facts.duplicates),
        "weeks": render(plot) if plot else "",
        "seconds": figure(round(facts.seconds, 1)),
    }


def field_rows(report: Mapping[str, Any] | None, excluded: Sequence[str]) -> list[FieldRow]:
    """Return every field that can be left out, and those that are though the report lacks them."""
    found: dict[str, FieldRow] = {}
    if report:
        facts = Inspection.of(report)
        alone = {leak.field: leak for leak in facts.leakage}
        for nulls in facts.nulls:
            name = _excludable(nulls.field)
            if name:
                found.setdefault(name, _row(name, nulls, alone.get(nulls.field)))
        for leak in facts.leakage:
            name = _excludable(leak.field)
            if name:
                found.setdefault(name, FieldRow(name, field_label(leak.field), "–", _auc(leak), leak.flagged))
    for name in (*EVENT_FIELDS, *excluded):
        field = f"events.{name}" if name in EVENT_FIELDS else f"attributes.{name}"
        found.setdefault(name, FieldRow(name, field_label(field), "–", "–", False))
    return sorted(found.values(), key=lambda row: (not row.suspected, row.label.lower()))


def count_of(report: Mapping[str, Any], severity: str) -> int:
    return sum(finding.get("severity") == severity for finding in report.get("findings", ()))


def _excludable(field: str) -> str:
    """Return the name by which a field is excluded; "" for what every agent needs."""
    table, _dot, name = field.partition(".")
    if table == "attributes" or (table == "events" and name in EVENT_FIELDS):
        return name
    return ""


def _row(name: str, nulls: Nulls, leak: Leakage | None) -> FieldRow:
    return FieldRow(
        name,
        field_label(nulls.field),
        share(1 - nulls.share),
        _auc(leak) if leak else "–",
        bool(leak and leak.flagged),
    )


def _auc(leak: Leakage) -> str:
    return "–" if leak.auc is None else f"{leak.auc:.2f}"


def _kinds(facts: Inspection) -> list[dict[str, Any]]:
    return [
        {
            "label": InteractionKind.label_of(kind.kind),
            "rows": number(kind.rows),
            "first": day(kind.first),
            "last": day(kind.last),
            "outcome": kind.outcome,
        }
        for kind in facts.kinds
    ]


def _balance(facts: Inspection) -> list[dict[str, str]]:
    return [
        {
            "window": str(WINDOWS.get(one.window, one.window)),
            "span": _("%(start)s to %(stop)s") % {"start": day(one.start), "stop": day(one.stop)},
            "count": number(one.count),
            "positives": number(one.positives),
            "share": share(one.positives / one.count) if one.count else "–",
        }
        for one in facts.balance
    ]


def _nulls(facts: Inspection) -> list[dict[str, Any]]:
    """Return the columns that have gaps, the emptiest first."""
    gaps = sorted((one for one in facts.nulls if one.nulls), key=lambda one: -one.share)
    return [
        {
            "label": field_label(one.field),
            "nulls": number(one.nulls),
            "share": share(one.share),
            "excluded": one.excluded,
        }
        for one in gaps
    ]


def _outliers(facts: Inspection) -> list[dict[str, str]]:
    return [
        {
            "label": field_label(one.field),
            "count": number(one.count),
            "low": figure(one.low),
            "high": figure(one.high),
            "worst": ", ".join(figure(value) for value in one.worst[:3]) or "–",
        }
        for one in facts.outliers
        if one.count
    ]
