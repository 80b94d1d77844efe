"""Deciding, within one part, which rows are purchases, which are returns and which are dropped."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from crm_data.importing.cleaning import drop
from crm_data.importing.keys import with_keys
from crm_data.importing.options import ImportOptions
from crm_data.importing.report import ImportReport
from crm_data.importing.returns import match_returns
from crm_data.suppression import Suppressed

# What makes two rows the same line; the texts are not part of it.
# Columns of a settled line, in the order in which every writer takes them.
SETTLED = (
    "customer",
    "product",
    "kind",
    "at",
    "quantity",
    "amount",
    "currency",
    "basket",
    "key",
    "return_of",
)
LINE = ["invoice", "customer", "product", "at", "quantity", "price"]


@dataclass(frozen=True)
class Settled:
    """The kept rows of one part: columns of LINE and kind, key, return_of, texts."""

    purchases: pl.DataFrame
    returns: pl.DataFrame


def settle(
    rows: pl.DataFrame,
    options: ImportOptions,
    report: ImportReport,
    *,
    now: datetime,
    suppressed: Suppressed,
) -> Settled:
    """Sort the rows of one part (all rows of its customers) into purchases, returns and dropped ones."""
    rows = _drop_repetitions(rows, options, report)
    rows = drop(rows, pl.col("customer").is_null(), "no_customer", report)
    erased = suppressed.erased_among(rows["customer"].unique())
    rows = drop(rows, pl.col("customer").is_in(sorted(erased)), "erased", report)
    rows = drop(rows, pl.col("at") > now, "future", report)
    rows = drop(rows, ~_is_product(options), "not_a_product", report)
    cancels = _is_cancellation(options)
    purchases = _drop_worthless(rows.filter(~cancels), report)
    purchases = with_keys(purchases.with_columns(kind=pl.lit("purchase")))
    returns = rows.filter(cancels).with_columns(pl.col("quantity").abs(), kind=pl.lit("return"))
    returns = returns.with_columns(_nth(LINE))  # lines that only the sign told apart need keys of their own
    matched = match_returns(purchases, with_keys(returns))
    matched = drop(matched, pl.col("return_of").is_null(), "unmatched_return", report)
    purchases = purchases.with_columns(return_of=pl.lit(None, pl.String))
    return Settled(purchases, matched.select(purchases.columns))


def _drop_repetitions(rows: pl.DataFrame, options: ImportOptions, report: ImportReport) -> pl.DataFrame:
    rows = rows.with_columns(_nth([*LINE, "section"]))
    again = pl.int_range(pl.len(), dtype=pl.UInt32).over([*LINE, "nth"]) > 0
    rows = drop(rows, again, "overlap", report)
    if options.keep_repeated:
        return rows
    return drop(rows, pl.col("nth") > 0, "duplicate", report)


def _nth(line: list[str]) -> pl.Expr:
    return pl.int_range(pl.len(), dtype=pl.UInt32).over(line).alias("nth")


def _is_product(options: ImportOptions) -> pl.Expr:
    present = pl.col("product").is_not_null()
    if options.product_pattern is None:
        return present
    return present & pl.col("product").str.contains(options.product_pattern)


def _is_cancellation(options: ImportOptions) -> pl.Expr:
    negative = pl.col("quantity") < 0
    if not options.cancellation_prefix:
        return negative
    return negative | pl.col("invoice").str.starts_with(options.cancellation_prefix).fill_null(value=False)


def _drop_worthless(rows: pl.DataFrame, report: ImportReport) -> pl.DataFrame:
    rows = drop(rows, pl.col("quantity") == 0, "no_quantity", report)
    rows = drop(rows, pl.col("price") == 0, "zero_price", report)
    return drop(rows, pl.col("price") < 0, "negative_price", report)
