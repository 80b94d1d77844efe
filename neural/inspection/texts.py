"""What an inspection tells of a task on texts that people labelled, instead of one on events."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.inspection import Balance, Finding, Need
from neural.text.labels import read_labels, split_labels
from neural.windows import to_iso

MANY_CONFLICTS = 0.02


@dataclass
class Labelled:
    balance: list[Balance] = field(default_factory=list)
    minimum: list[Need] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look(config: TrainingConfig, dataset: Dataset) -> Labelled:
    """Count labels before the test window, and texts that were labelled in two ways."""
    rows = read_labels(config, dataset)
    found = Labelled(minimum=[Need("labels", len(rows), 2 * config.minimum.labels)])
    found.findings.extend(_conflicts(rows))
    try:
        split = split_labels(config, rows, test=False)
    except NotEnoughData as answer:
        found.findings.extend(_missing(fact) for fact in answer.missing)
        return found
    for name, count in split.left_out.items():
        facts = {"label": name, "have": count, "need": config.minimum.labels}
        found.findings.append(Finding("rare_label", "info", facts=facts))
    cuts = split.windows
    for window, texts, start, stop in (
        ("train", split.train, cuts.start, cuts.validation),
        ("validation", split.validation, cuts.validation, cuts.test),
    ):
        counts = Counter(texts.label.tolist())
        most = max(counts.values(), default=0)
        balance = Balance(window, to_iso(start), to_iso(stop), len(texts), most, {"labels": len(counts)})
        found.balance.append(balance)
    return found


def _missing(fact: dict[str, Any]) -> Finding:
    return Finding(
        fact["code"], "stop", facts={name: value for name, value in fact.items() if name != "code"}
    )


def _conflicts(rows: pl.DataFrame) -> list[Finding]:
    """The same words with different labels: one of them is wrong, or the label needs more than the words."""
    text = pl.col("text").str.to_lowercase().str.strip_chars()
    labels = rows.group_by(text).agg(pl.col("label").n_unique().alias("labels"), pl.len().alias("rows"))
    count = int(labels.filter(pl.col("labels") > 1)["rows"].sum())
    if not count:
        return []
    share = count / len(rows)
    facts = {"count": count, "rows": len(rows), "share": share}
    return [Finding("conflicting_labels", "warn" if share >= MANY_CONFLICTS else "info", facts=facts)]
