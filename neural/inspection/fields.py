"""Attributes of customers and columns of products: what is empty, always the same, or a name in disguise."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import PRODUCTS, Dataset
from handoff.inspection import Finding, Nulls
from neural.inspection.events import MOSTLY, Seen

FEW = 20  # values below which nothing is said of their variety
UNIQUE = 0.9  # different values a filled row, above which text is a name
UNIQUE_NUMBERS = 0.99
MANY_UNLISTED = 0.05


@dataclass
class Fields:
    customers: int
    products: int
    nulls: list[Nulls] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Values:
    """The values of one attribute, as hashable words."""

    filled: int = 0
    words: Counter[str] = field(default_factory=Counter)
    text: bool = False
    fraction: bool = False  # a number with decimals is seldom the same twice, and no name for that
    dates: bool = True

    def add(self, value: Any) -> None:
        self.filled += 1
        self.words[json.dumps(value, sort_keys=True)] += 1
        self.text = self.text or isinstance(value, str)
        self.fraction = self.fraction or (isinstance(value, float) and not value.is_integer())
        self.dates = self.dates and is_date(value)

    @property
    def near_unique(self) -> bool:
        if self.filled < FEW or self.fraction or (self.text and self.dates):
            return False
        return len(self.words) / self.filled >= (UNIQUE if self.text else UNIQUE_NUMBERS)


def is_date(value: Any) -> bool:
    if not isinstance(value, str) or len(value) < 8:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def look(dataset: Dataset, config: TrainingConfig, seen: Seen) -> Fields:
    """Read the customers' and the products' tables once."""
    customers = dataset.customers().select("customer", "since", "attributes").collect()
    products = dataset.products().collect()
    found = Fields(len(customers), len(products))
    _attributes(found, customers["attributes"], config)
    for name in PRODUCTS.names():
        found.nulls.append(Nulls(f"products.{name}", len(products), products[name].null_count()))
        _mostly_null(found, found.nulls[-1])
    _late(found, customers, dataset.manifest.watermark)
    _unlisted(found, "products", seen.products, products["product"])
    _unlisted(found, "customers", seen.customers, customers["customer"])
    return found


def _attributes(found: Fields, texts: Iterable[str | None], config: TrainingConfig) -> None:
    values: dict[str, Values] = {}
    for text in texts:
        row = json.loads(text) if text else {}
        for name, value in row.items() if isinstance(row, dict) else ():
            one = values.setdefault(name, Values())
            if value is not None and value != []:
                one.add(value)
    for name, one in sorted(values.items()):
        excluded = name in config.excluded
        nulls = Nulls(f"attributes.{name}", found.customers, found.customers - one.filled, excluded)
        found.nulls.append(nulls)
        if excluded:
            continue
        _mostly_null(found, nulls)
        if len(one.words) == 1 and one.filled == found.customers:
            value = json.loads(next(iter(one.words)))
            found.findings.append(Finding("constant", "info", nulls.field, {"value": value}))
        elif one.near_unique:
            share = len(one.words) / one.filled
            facts = {"values": len(one.words), "rows": one.filled, "share": share}
            found.findings.append(Finding("near_unique", "info", nulls.field, facts))


def _mostly_null(found: Fields, nulls: Nulls) -> None:
    if nulls.rows and nulls.share >= MOSTLY:
        facts = {"nulls": nulls.nulls, "rows": nulls.rows, "share": nulls.share}
        found.findings.append(Finding("mostly_null", "info", nulls.field, facts))


def _late(found: Fields, customers: pl.DataFrame, watermark: str) -> None:
    since = customers["since"].drop_nulls()
    late = since.filter(since > datetime.fromisoformat(watermark))
    if len(late):
        facts = {"count": len(late), "last": _iso(late.max()), "watermark": watermark}
        found.findings.append(Finding("future_events", "warn", "customers.since", facts))


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _unlisted(found: Fields, table: str, seen: set[str], listed: pl.Series) -> None:
    """A host without such a table has nothing to list."""
    missing = len(seen - set(listed))
    if len(listed) and missing:
        facts = {"count": missing, "share": missing / len(seen)}
        many = table == "products" and facts["share"] >= MANY_UNLISTED
        found.findings.append(Finding(f"unlisted_{table}", "warn" if many else "info", table, facts))
