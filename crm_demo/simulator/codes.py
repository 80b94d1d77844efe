"""The shop's own numbers for customers, products and orders."""

import polars as pl


def customer_code(number: pl.Expr) -> pl.Expr:
    return pl.format("C{}", number.cast(pl.String).str.zfill(7))


def product_code(number: pl.Expr) -> pl.Expr:
    return pl.format("P{}", number.cast(pl.String).str.zfill(5))


def order_code(customer: pl.Expr, day: pl.Expr) -> pl.Expr:
    return pl.format("S{}-{}", customer.cast(pl.String).str.zfill(7), day.cast(pl.String).str.zfill(3))
