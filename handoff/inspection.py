"""`report.json` of an inspection: what is in the data and what is wrong with it, as facts without words.

A FINDING is {"code", "severity", "remedy", "field", "facts"}. `severity` is "stop" (training would be
refused, or would teach nonsense), "warn" or "info". `field` is "" or one of "events.<column>",
"products.<column>", "attributes.<name>", "kinds.<kind>".

code               severity   facts                                        remedy
no_events          stop       -                                            import_events
customers          stop       have, need                                   wait_or_import
purchases          stop       have, need                                   wait_or_import
days               stop       have, need                                   wait_or_import
early_days         stop       have, need                                   shorten_horizon
one_outcome        stop|warn  window, count, positives                     change_horizon
rare_outcome       warn       window, count, positives, share              change_horizon
no_outcome_kind    stop       kind                                         map_kind
unseen_kind        info       rows, first                                  retrain_later
mostly_null        info|warn  nulls, rows, share                           fill_or_exclude
duplicates         warn|info  count, rows, share                           drop_duplicates
outliers           warn|info  count, rows, share, low, high, worst         clip_outliers
not_finite         warn       count, rows                                  correct_source
negative_outcome   info       count, rows, share                           map_returns
future_events      warn       count, last, watermark                       correct_dates
doubled_week       warn       week, rows, duplicates                       drop_duplicates
busy_week          info       week, rows, usual                            check_import
empty_weeks        warn|info  weeks, first, longest                        check_import
unlisted_products  warn       count, share                                 list_products
unlisted_customers info       count, share                                 list_customers
constant           info       value                                        exclude_field
near_unique        info       values, rows, share                          exclude_field
leak               stop|warn  auc, low, count, positives, limit            exclude_field
filled_after       stop|warn  auc, filled_positives, filled_negatives,     exclude_field
                              positives, negatives
labels             stop       have, need                                   label_more
label_kinds        stop       have, need                                   label_more
label_texts        stop       label, have, need                            label_more
validation_labels  stop       have, need                                   label_more
test_labels        stop       have, need                                   label_more
rare_label         info       label, have, need                            label_more
conflicting_labels warn|info  count, rows, share                           review_labels

The last seven are of tasks on texts that people labelled; of these the rest is not asked.
Shares lie in 0..1, weeks are the ISO dates of Mondays, times are ISO times. `auc` is the area under the
ROC curve of the field alone against the task's label on the validation window, `low` the lower end of its
95 % interval; 0.5 knows nothing. Labels of the test window are never looked at. Nulls of events.product,
events.quantity and events.amount are counted among the events that count as outcome.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from handoff.errors import HandoffError
from handoff.files import read_json, write_json

REPORT = "report.json"

Severity = Literal["stop", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("stop", "warn", "info")  # the worst first

# Every code with the remedy it names: whoever words one side can test that none is missing.
REMEDIES: dict[str, str] = {
    "no_events": "import_events",
    "customers": "wait_or_import",
    "purchases": "wait_or_import",
    "days": "wait_or_import",
    "early_days": "shorten_horizon",
    "one_outcome": "change_horizon",
    "rare_outcome": "change_horizon",
    "no_outcome_kind": "map_kind",
    "unseen_kind": "retrain_later",
    "mostly_null": "fill_or_exclude",
    "duplicates": "drop_duplicates",
    "outliers": "clip_outliers",
    "not_finite": "correct_source",
    "negative_outcome": "map_returns",
    "future_events": "correct_dates",
    "doubled_week": "drop_duplicates",
    "busy_week": "check_import",
    "empty_weeks": "check_import",
    "unlisted_products": "list_products",
    "unlisted_customers": "list_customers",
    "constant": "exclude_field",
    "near_unique": "exclude_field",
    "leak": "exclude_field",
    "filled_after": "exclude_field",
    "labels": "label_more",
    "label_kinds": "label_more",
    "label_texts": "label_more",
    "validation_labels": "label_more",
    "test_labels": "label_more",
    "rare_label": "label_more",
    "conflicting_labels": "review_labels",
}


@dataclass(frozen=True)
class Finding:
    """One thing a person should know of, and what to do about it."""

    code: str
    severity: Severity
    field: str = ""
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def remedy(self) -> str:
        return REMEDIES[self.code]


@dataclass(frozen=True)
class Kind:
    """The events of one kind."""

    kind: str
    rows: int
    first: str
    last: str
    outcome: bool  # counts as outcome in the configuration
    seen: bool  # occurs before the validation window, so a model can know it


@dataclass(frozen=True)
class Nulls:
    """How much of a column is empty."""

    field: str  # "events.amount", "attributes.country", "products.price"
    rows: int
    nulls: int
    excluded: bool = False  # left out by the configuration

    @property
    def share(self) -> float:
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Outliers:
    """Values beyond the fences of a column, on the logarithm of the absolute value."""

    field: str
    rows: int  # values looked at: finite and not 0
    count: int
    low: float  # the fences
    high: float
    worst: tuple[float, ...]  # the most extreme values, the largest distance first


@dataclass(frozen=True)
class Balance:
    """The task's labels in one window. Facts beyond the classes depend on the task."""

    window: str  # "train" (the last one that ends before validation) or "validation"
    start: str
    stop: str
    count: int
    positives: int  # of texts: those of the most frequent label
    # Of next_product: "new_share" of the pairs bought, "coverage" of the catalogue; of texts: "labels"
    facts: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """A minimum of the configuration against what there is."""

    code: str
    have: int
    need: int

    @property
    def met(self) -> bool:
        return self.have >= self.need


@dataclass(frozen=True)
class Leakage:
    """What one field alone tells of the label on the validation window; None where it cannot be said."""

    field: str
    auc: float | None  # of its value
    presence_auc: float | None  # of its mere presence
    filled_positives: float | None  # share filled among the positives
    filled_negatives: float | None
    distinct: int
    flagged: bool
    excluded: bool = False


@dataclass(frozen=True)
class Inspection:
    """The whole report."""

    agent: str
    task: str
    watermark: str
    windows: Mapping[str, list[str]]  # as in evaluation.json; {} where the data are too short for any
    rows: int
    customers: int
    products: int
    first: str | None
    last: str | None
    kinds: tuple[Kind, ...]
    nulls: tuple[Nulls, ...]
    duplicates: int
    outliers: tuple[Outliers, ...]
    weeks: tuple[tuple[str, int], ...]  # events of the outcome in each week, at most the last 520
    balance: tuple[Balance, ...]
    minimum: tuple[Need, ...]
    leakage: tuple[Leakage, ...]
    findings: tuple[Finding, ...]  # the worst first
    seconds: float

    def as_json(self) -> dict[str, Any]:
        raw = asdict(self)
        for written, finding in zip(raw["findings"], self.findings, strict=True):
            written["remedy"] = finding.remedy
        return raw

    def write(self, folder: Path) -> None:
        write_json(folder / REPORT, self.as_json())

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Build from the report's JSON. Raises HandoffError for what is none."""
        parts: dict[str, type] = {
            "kinds": Kind,
            "nulls": Nulls,
            "outliers": Outliers,
            "balance": Balance,
            "minimum": Need,
            "leakage": Leakage,
            "findings": Finding,
        }
        try:
            values = dict(raw)
            for name, part in parts.items():
                values[name] = tuple(
                    part(**{k: v for k, v in row.items() if k != "remedy"}) for row in raw[name]
                )
            values["weeks"] = tuple((str(week), int(rows)) for week, rows in raw["weeks"])
            return cls(**values)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise HandoffError(f"This is no report of an inspection: {error}.") from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls.of(read_json(folder / REPORT))
